/** A number on a fader: standing in the bank, lying elsewhere. */

import { h, vars } from "../dom.js";
import { slots, swing } from "../net/mod.js";
import { placed, written } from "../net/table.js";
import { link, live } from "../show.js";
import { Control } from "./control.js";

/** @typedef {import("../net/osc.js").Arg} Arg */
/** @typedef {import("../net/table.js").Row} Row */
/** @typedef {import("../net/connection.js").Answer} Answer */
/** @typedef {{ x: number, y: number, from: number, moved: boolean, onValue: boolean }} Grip */

const QUIET_MS = 300; // after a release, for which echoes are not shown: the network may still bring older values
const TAP_PX = 4;
const DOUBLE_MS = 350;
const COARSE = 0.01;
const FINE = 0.001;
const PAGE = 0.1;

export class Fader extends Control {
  /** @type {Grip | null} */
  #grip = null;
  #quiet = 0;
  #tapped = -Infinity;
  #value = NaN;
  #asked = NaN;
  /** @type {(() => void)[]} */
  #moved = [];
  mark = [h("i", { class: "m", hidden: true }), h("i", { class: "e", hidden: true })]; // how far modulation moves it, and where to

  /**
   * @param {Row} row
   * @param {boolean} lying
   * @param {string} [label]
   */
  constructor(row, lying, label = row.label) {
    super(row);
    this.lying = lying;
    this.className = lying ? "fad h" : "fad";
    this.number = h("span", { class: "v num" });
    this.name = h("span", { class: "l" }, label);
    this.well = h("div", { class: "w" }, h("i", { class: "f" }));
    if (typeof row.usual === "number") this.well.append(h("i", { class: "d" }));
    vars(this.well, { "--v": 0, "--d": typeof row.usual === "number" ? placed(row, row.usual) : 0 });
    this.well.append(...this.mark);
    this.append(this.number, this.well, this.name);
    const attributes = { role: "slider", tabindex: "0", "aria-label": label, "aria-valuemin": row.low, "aria-valuemax": row.high };
    for (const [key, value] of Object.entries(attributes)) this.setAttribute(key, String(value));
    this.setAttribute("aria-orientation", lying ? "horizontal" : "vertical");
    this.addEventListener("pointerdown", this.#grab);
    this.addEventListener("pointermove", this.#drag);
    this.addEventListener("pointerup", this.#release);
    this.addEventListener("pointercancel", this.#release);
    this.addEventListener("lostpointercapture", this.#release);
    this.addEventListener("wheel", this.#wheel, { passive: false });
    this.addEventListener("keydown", this.#key);
  }

  connectedCallback() {
    super.connectedCallback();
    const address = `/sdv2/mod/value/${this.row.name}`;
    if (!link.rows.has(address)) return;
    const slotted = ["on", "target", "depth", "min", "max", "polarity"];
    const all = slots().flatMap((slot) => slotted.map((what) => `/sdv2/mod/${slot}/${what}`));
    this.#moved = [
      live.watch("modulation", () => this.#bracket()),
      link.watch(address, (value) => vars(this.well, { "--e": placed(this.row, Number(value)) })),
      ...all.map((one) => link.watch(one, () => this.#bracket())),
    ];
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    for (const end of this.#moved) end();
  }

  /** Show how far modulation moves it. */
  #bracket() {
    const moves = live.lists.modulation?.moving.includes(this.row.name) ?? false;
    for (const part of this.mark) part.hidden = !moves;
    if (!moves) return;
    const [down, up] = swing(this.row.name);
    vars(this.well, { "--a": placed(this.row, this.#value + down), "--b": placed(this.row, this.#value + up) });
  }

  /** @param {Arg} value */
  show(value) {
    if (this.#grip || this.#quiet) return;
    this.#draw(Number(value));
  }

  /** @param {string} label */
  rename(label) {
    this.name.textContent = label;
    this.setAttribute("aria-label", label);
  }

  /** @param {Answer} answer */
  answered(answer) {
    const { row } = this;
    if (answer.kind === "clamped" && Number.isFinite(this.#asked)) {
      const [side, limit] = this.#asked > row.high ? ["above", row.high] : ["below", row.low];
      this.say(`${this.#asked} is ${side} ${limit}`, `set to ${written(row, limit)}`);
    } else super.answered(answer);
  }

  /** @param {number} value */
  #draw(value) {
    this.#value = value;
    const text = written(this.row, value);
    this.number.textContent = this.row.unit && this.lying ? `${text} ${unit(this.row.unit)}` : text;
    vars(this.well, { "--v": placed(this.row, value) });
    if (!this.mark[0]?.hidden) this.#bracket();
    this.setAttribute("aria-valuenow", text);
    this.setAttribute("aria-valuetext", `${text} ${this.row.unit}`.trim());
  }

  /**
   * Move to a place 0..1 of the fader, and tell the show.
   *
   * @param {number} place
   */
  #put(place) {
    const [low, high] = this.row.span;
    const exact = low + Math.min(1, Math.max(0, place)) * (high - low);
    const value = this.row.whole ? Math.round(exact) : Number(exact.toFixed(4));
    this.hush();
    this.#draw(value);
    link.glide(this.row.name, value);
    this.#rest();
  }

  /** Show no echo for a moment, then what the show holds by then. */
  #rest() {
    clearTimeout(this.#quiet);
    this.#quiet = setTimeout(() => {
      this.#quiet = 0;
      const value = link.value(this.row.name);
      if (value !== undefined) this.show(value);
    }, QUIET_MS);
  }

  /** @param {PointerEvent} event */
  #grab = (event) => {
    if (event.button !== 0 || event.target instanceof HTMLInputElement) return;
    event.preventDefault();
    this.focus({ preventScroll: true });
    this.setPointerCapture(event.pointerId);
    const onValue = event.target === this.number;
    this.#grip = { x: event.clientX, y: event.clientY, from: placed(this.row, this.#value), moved: false, onValue };
    this.classList.add("held");
  };

  /** @param {PointerEvent} event */
  #drag = (event) => {
    const grip = this.#grip;
    if (!grip) return;
    const [right, up] = [event.clientX - grip.x, grip.y - event.clientY];
    if (!grip.moved && Math.hypot(right, up) < TAP_PX) return;
    grip.moved = true;
    const { width, height } = this.well.getBoundingClientRect();
    this.#put(grip.from + ((this.lying ? right / width : up / height) * (event.shiftKey ? PAGE : 1)));
  };

  /** @param {PointerEvent} event */
  #release = (event) => {
    const grip = this.#grip;
    if (!grip) return;
    this.#grip = null;
    this.classList.remove("held");
    this.#rest();
    if (grip.moved || event.type !== "pointerup") return;
    const twice = event.timeStamp - this.#tapped < DOUBLE_MS;
    this.#tapped = twice ? -Infinity : event.timeStamp;
    if (twice && typeof this.row.usual === "number") this.#put(placed(this.row, this.row.usual));
    else if (grip.onValue) this.#type();
  };

  /** @param {WheelEvent} event */
  #wheel = (event) => {
    event.preventDefault();
    const turned = event.deltaY || event.deltaX; // shift turns one into the other
    if (turned) this.#put(placed(this.row, this.#value) - Math.sign(turned) * this.#step(event.shiftKey ? FINE : COARSE));
  };

  /** @param {KeyboardEvent} event */
  #key = (event) => {
    if (event.target !== this || event.ctrlKey || event.metaKey || event.altKey) return;
    const step = this.#step(event.shiftKey ? FINE : COARSE);
    /** @type {Record<string, number>} */
    const moves = { ArrowUp: step, ArrowRight: step, ArrowDown: -step, ArrowLeft: -step, PageUp: PAGE, PageDown: -PAGE, Home: -1, End: 1 };
    const move = moves[event.key];
    if (move !== undefined) this.#put(placed(this.row, this.#value) + move);
    else if (event.key === "Enter") this.#type();
    else return;
    event.preventDefault();
    event.stopPropagation();
  };

  /**
   * A step as a share of the fader, of whole numbers at least one.
   *
   * @param {number} share
   */
  #step(share) {
    const [low, high] = this.row.span;
    return this.row.whole ? Math.max(share, 1 / (high - low)) : share;
  }

  /** Let the value be typed, also beyond what the fader covers. */
  #type() {
    const field = h("input", { class: "v num typed", inputmode: "decimal", "aria-label": `${this.row.label}, type a value` });
    field.value = written(this.row, this.#value);
    let open = true;
    const close = (/** @type {boolean} */ take) => {
      if (!open) return;
      open = false;
      const text = field.value.trim().replace(",", ".");
      field.replaceWith(this.number);
      if (!take || !text) return;
      this.#asked = Number(text);
      this.send(Number.isFinite(this.#asked) ? this.#asked : text);
    };
    field.addEventListener("keydown", (event) => {
      event.stopPropagation();
      if (event.key !== "Enter" && event.key !== "Escape") return;
      close(event.key === "Enter");
      this.focus();
    });
    field.addEventListener("blur", () => close(true));
    this.number.replaceWith(field);
    field.focus();
    field.select();
  }
}

/** @param {string} name */
function unit(name) {
  return name === "seconds" ? "s" : name;
}

customElements.define("sdv2-fader", Fader);
