/** Switch, choice, text and trigger. */

import { chosen, h, segments } from "../dom.js";
import { Hold } from "../panels/hold.js";
import { link } from "../show.js";
import { Control } from "./control.js";

/** @typedef {import("../net/osc.js").Arg} Arg */
/** @typedef {import("../net/table.js").Row} Row */

const SEGMENTS = 4; // choices that stand side by side; more make a list
const NEARLY_FULL = 0.9;
const HELD = "blackout"; // goes on by a hold only

export class Switch extends Control {
  #on = false;

  /**
   * @param {Row} row
   * @param {string} [label] nothing: it says on or off
   */
  constructor(row, label) {
    super(row);
    this.text = h("span", {}, label ?? "");
    this.says = label === undefined;
    this.button = h("button", { type: "button", class: "tog", "aria-label": row.label }, h("i"), this.text);
    this.button.addEventListener("click", () => {
      if (hold?.done) hold.done = false;
      else if (!hold?.needed()) this.send(!this.#on);
    });
    const hold = row.name === HELD ? new Hold(this.button, () => this.send(true)) : null;
    if (hold) hold.needed = () => !this.#on;
    this.append(this.button);
  }

  /** @param {Arg} value */
  show(value) {
    this.#on = Boolean(value);
    this.button.classList.toggle("on", this.#on);
    this.button.setAttribute("aria-pressed", String(this.#on));
    if (this.says) this.text.textContent = this.#on ? "on" : "off";
  }
}

export class Choice extends Control {
  /**
   * @param {Row} row
   * @param {Record<string, string>} [words] for the choices
   * @param {number} [most] that stand side by side
   */
  constructor(row, words = {}, most = SEGMENTS) {
    super(row);
    const word = (/** @type {string} */ key) => words[key] ?? key;
    if (row.choices.length <= most) {
      const options = row.choices.map((key) => ({ key, text: word(key) }));
      const group = segments(row.label, options, (key) => this.send(key), "seg small");
      this.append(group);
      this.paint = (/** @type {string} */ key) => chosen(group, key);
    } else {
      const list = h("select", { "aria-label": row.label }, ...row.choices.map((key) => h("option", { value: key }, word(key))));
      list.addEventListener("change", () => this.send(list.value));
      this.append(list);
      this.paint = (/** @type {string} */ key) => void (list.value = key);
    }
  }

  /** @param {Arg} value */
  show(value) {
    this.paint(String(value));
  }
}

/** A text of two lines. What is typed goes out with Enter, or when the field is left; news does not overwrite it. */
export class Text extends Control {
  #unsent = false; // it holds what the show has not been sent
  /** @type {() => void} */
  #end = () => undefined;

  /**
   * @param {Row} row
   * @param {string} [label]
   */
  constructor(row, label = row.label) {
    super(row);
    this.field = h("textarea", { rows: "2", spellcheck: "false", "aria-label": label });
    this.count = h("small", { class: "left num", hidden: true });
    this.field.addEventListener("input", () => {
      this.#unsent = true;
      this.#measure();
    });
    this.field.addEventListener("change", () => this.#commit());
    this.field.addEventListener("keydown", (event) => {
      event.stopPropagation();
      if (event.key === "Escape") this.field.blur();
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      this.#commit();
    });
    this.append(this.field, this.count);
  }

  connectedCallback() {
    super.connectedCallback();
    this.#end = link.onState(() => !this.field.matches(":focus") && this.#commit());
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    this.#end();
  }

  /** @param {Arg} value */
  show(value) {
    if (this.#unsent) return;
    this.field.value = String(value);
    this.#measure();
  }

  #commit() {
    if (!this.#unsent || link.line.state !== "open") return;
    this.#unsent = false;
    this.send(this.field.value);
  }

  #measure() {
    const { length } = this.field.value;
    this.count.hidden = length < this.row.high * NEARLY_FULL;
    this.count.textContent = `${length} of ${this.row.high}`;
  }
}

export class Trigger extends Control {
  /** @param {Row} row */
  constructor(row) {
    super(row);
    this.append(h("button", { type: "button", class: "btn", onclick: () => this.fire() }, row.label));
  }

  /** Fire it. */
  fire() {
    this.hush();
    link.send(this.row.name);
  }
}

customElements.define("sdv2-switch", Switch);
customElements.define("sdv2-choice", Choice);
customElements.define("sdv2-text", Text);
customElements.define("sdv2-trigger", Trigger);
