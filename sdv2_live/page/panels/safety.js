/** The safety row: freeze, bypass, input, reset, blackout. Blackout goes on by a hold only, and off by a tap. */

import { chosen, fill, h, segments } from "../dom.js";
import { isLocked } from "../lock.js";
import { link, live } from "../show.js";
import { Hold } from "./hold.js";
import { Panel } from "./panel.js";

const KEYS = { freeze: ["Freeze", "F"], bypass: ["Bypass", "B"], reset: ["Reset", "R"], blackout: ["Blackout", "hold Esc"] };
const FLASH_MS = 160;

/** @typedef {keyof typeof KEYS} Name */

export class Safety extends Panel {
  /** @type {Map<Name, HTMLButtonElement>} */
  #keys = new Map();

  setup() {
    for (const name of /** @type {Name[]} */ (Object.keys(KEYS))) this.#keys.set(name, this.#key(name));
    const inputs = h("div", { class: "inputs", hidden: true });
    const [freeze, bypass, reset, blackout] = [...this.#keys.values()];
    this.append(...[freeze, bypass, inputs, reset, blackout].filter((part) => part !== undefined));
    for (const name of /** @type {Name[]} */ (["freeze", "bypass", "blackout"])) {
      this.follow(link.watch(`/sdv2/${name}`, (on) => this.#keys.get(name)?.setAttribute("aria-pressed", String(Boolean(on)))));
    }
    this.follow(live.watch("pending", ({ items }) => this.#waits(new Set(items.map((item) => item.name)))));
  }

  get rows() {
    const row = link.row("input_select");
    return row ? [row] : [];
  }

  build() {
    const [row] = this.rows;
    const inputs = /** @type {HTMLElement} */ (this.querySelector(".inputs"));
    inputs.hidden = !row;
    if (!row) return;
    const options = row.choices.map((key) => ({ key, text: key.charAt(0).toUpperCase() + key.slice(1) }));
    const group = segments("Input", options, (key) => link.send("input_select", key), "choices");
    fill(inputs, h("span", { class: "lab" }, "Input"), group);
    this.follow(link.watch(row.address, (value) => chosen(group, String(value))));
  }

  /**
   * A press of a safety key, by hand or keyboard.
   *
   * @param {Name} name
   */
  press(name) {
    const key = this.#keys.get(name);
    if (name === "reset") {
      link.send("reset");
      key?.classList.add("fired");
      setTimeout(() => key?.classList.remove("fired"), FLASH_MS);
    } else if (name !== "blackout" || this.isOn("blackout")) link.send(name, !this.isOn(name));
  }

  /** Send black; called at the end of a hold. */
  black() {
    link.send("blackout", true);
  }

  /** @param {Name} name */
  isOn(name) {
    return link.value(name) === true;
  }

  /** @param {boolean} holding the key Esc is held */
  holding(holding) {
    this.#keys.get("blackout")?.classList.toggle("holding", holding);
  }

  /** @param {Set<string>} names of what waits for the beat */
  #waits(names) {
    for (const [name, key] of this.#keys) key.classList.toggle("waiting", names.has(name));
  }

  /** @param {Name} name */
  #key(name) {
    const [text, kbd] = KEYS[name];
    const toggles = name !== "reset";
    const label = name === "blackout" ? "Blackout, hold for half a second" : text;
    const look = name === "blackout" ? "key black" : "key";
    const key = h("button", { type: "button", class: look, "aria-label": label, "aria-pressed": toggles ? "false" : false });
    key.append(h("b", {}, text ?? ""), h("kbd", {}, kbd ?? ""));
    const hold = new Hold(key, () => (name === "blackout" ? this.black() : this.press(name)));
    hold.needed = () => (name === "blackout" ? !this.isOn(name) : isLocked());
    key.addEventListener("click", (event) => {
      if (hold.done) hold.done = false;
      else if (!hold.needed() || (event.detail === 0 && name !== "blackout")) this.press(name);
    });
    return key;
  }
}

customElements.define("sdv2-safety", Safety);
