/** A seed: field, dice, lock, and the last three. It is a text on this page: a number of JavaScript holds only 53 bits of it. */

import { fill, h, iconButton } from "../dom.js";
import { link } from "../show.js";
import { Control } from "./control.js";

/** @typedef {import("../net/osc.js").Arg} Arg */
/** @typedef {import("../net/table.js").Row} Row */

const LAST = 3;

export class Seed extends Control {
  /** @type {string[]} */
  #last = [];
  #value = "";
  /** @type {(() => void)[]} */
  #also = [];

  /** @param {Row} row */
  constructor(row) {
    super(row);
    this.setAttribute("role", "group");
    this.setAttribute("aria-label", row.label);
    this.field = h("input", { class: "num", inputmode: "numeric", "aria-label": row.label });
    this.field.addEventListener("change", () => this.send(this.field.value.trim()));
    this.field.addEventListener("keydown", (event) => {
      event.stopPropagation();
      if (event.key === "Enter" || event.key === "Escape") this.field.blur();
    });
    this.dice = iconButton("dice", "Another seed", () => this.#draw());
    this.lock = iconButton("lock", "Keep the seed at a reset", () => this.#toggle());
    this.last = h("span", { class: "hist num" });
    this.append(this.field, this.dice);
    if (this.#mode) this.append(this.lock);
    this.append(this.last);
  }

  /** The row that says whether a reset draws a new seed. */
  get #mode() {
    return link.row(`${this.row.name}_mode`);
  }

  connectedCallback() {
    super.connectedCallback();
    const mode = this.#mode;
    if (mode) this.#also = [link.watch(mode.address, (value) => this.#locked(value === "lock"))];
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    for (const end of this.#also) end();
  }

  /** @param {Arg} value */
  show(value) {
    const seed = String(value);
    if (this.#value && seed !== this.#value) this.#last = [this.#value, ...this.#last.filter((old) => old !== this.#value)].slice(0, LAST);
    this.#value = seed;
    if (!this.field.matches(":focus")) this.field.value = seed;
    const again = this.#last.filter((old) => old !== seed);
    fill(this.last, ...again.map((old) => h("button", { type: "button", "aria-label": `Seed ${old} again`, onclick: () => this.send(old) }, old)));
  }

  #draw() {
    const drawn = new Uint32Array(1);
    crypto.getRandomValues(drawn);
    this.send(String((drawn[0] ?? 0) >>> 1)); // 31 bits fit every controller's integer
  }

  #toggle() {
    link.send(`${this.row.name}_mode`, this.lock.classList.contains("on") ? "random" : "lock");
  }

  /** @param {boolean} on */
  #locked(on) {
    this.lock.classList.toggle("on", on);
    this.lock.setAttribute("aria-pressed", String(on));
  }
}

customElements.define("sdv2-seed", Seed);
