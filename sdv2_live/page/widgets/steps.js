/** The denoising steps: one handle a step on a ruler from 1000 to 0. */

import { fill, h, vars } from "../dom.js";
import { link } from "../show.js";
import { Control } from "./control.js";

/** @typedef {import("../net/osc.js").Arg} Arg */
/** @typedef {import("../net/table.js").Row} Row */

const TOP = 1000;
const MOST = 4;
const APART = 10; // between neighbours under the hand
const QUIET_MS = 300;

export class Steps extends Control {
  /** @type {number[]} descending */
  #steps = [];
  #held = false;
  #quiet = 0;

  /** @param {Row} row */
  constructor(row) {
    super(row);
    this.setAttribute("role", "group");
    this.setAttribute("aria-label", row.label);
    this.ruler = h("div", { class: "ruler" });
    const fewer = h("button", { type: "button", class: "btn q", "aria-label": "One step less", onclick: () => this.#fewer() }, "−");
    const more = h("button", { type: "button", class: "btn q", "aria-label": "One step more", onclick: () => this.#more() }, "+");
    this.append(this.ruler, h("div", { class: "grp" }, fewer, more));
  }

  /** @param {Arg} value */
  show(value) {
    if (this.#held || this.#quiet) return;
    const steps = String(value).split(",").map(Number);
    if (String(steps) === String(this.#steps)) return;
    this.#steps = steps;
    this.#draw();
  }

  #draw() {
    const focused = [...this.ruler.querySelectorAll("button")].indexOf(/** @type {HTMLButtonElement} */ (document.activeElement));
    const handles = this.#steps.map((step, index) => {
      const attributes = { role: "slider", "aria-valuemin": 1, "aria-valuemax": TOP, "aria-valuenow": step };
      const handle = h("button", { type: "button", class: "num", "aria-label": `Step ${index + 1}`, ...attributes }, String(step));
      vars(handle, { "--t": step });
      handle.addEventListener("pointerdown", (event) => this.#drag(event, handle, index));
      handle.addEventListener("keydown", (event) => this.#key(event, index));
      return handle;
    });
    fill(this.ruler, h("i", { class: "ln" }), ...handles);
    handles[focused]?.focus();
  }

  /** @param {number[]} steps */
  #put(steps) {
    this.#steps = steps;
    this.hush();
    link.glide(this.row.name, steps.join(","));
    clearTimeout(this.#quiet);
    this.#quiet = setTimeout(() => {
      this.#quiet = 0;
      this.show(link.value(this.row.name) ?? steps.join(","));
    }, QUIET_MS);
  }

  /**
   * Move one step, between its neighbours.
   *
   * @param {number} index
   * @param {number} step
   */
  #move(index, step) {
    const above = (this.#steps[index - 1] ?? TOP + APART) - APART;
    const below = (this.#steps[index + 1] ?? 1 - APART) + APART;
    const moved = Math.round(Math.min(above, Math.max(below, step)));
    this.#put(this.#steps.map((old, place) => (place === index ? moved : old)));
    return moved;
  }

  /**
   * @param {PointerEvent} event
   * @param {HTMLButtonElement} handle
   * @param {number} index
   */
  #drag(event, handle, index) {
    if (event.button !== 0) return;
    handle.setPointerCapture(event.pointerId);
    this.#held = true;
    const { width } = this.ruler.getBoundingClientRect();
    const [x, from] = [event.clientX, this.#steps[index] ?? TOP];
    handle.onpointermove = (move) => {
      const step = this.#move(index, from - ((move.clientX - x) / width) * TOP);
      handle.textContent = String(step);
      vars(handle, { "--t": step });
    };
    handle.onpointerup = handle.onpointercancel = () => {
      handle.onpointermove = handle.onpointerup = handle.onpointercancel = null;
      this.#held = false;
      this.#draw();
    };
  }

  /**
   * @param {KeyboardEvent} event
   * @param {number} index
   */
  #key(event, index) {
    const by = { ArrowLeft: 1, ArrowUp: 1, ArrowRight: -1, ArrowDown: -1 }[event.key];
    if (by) this.#move(index, (this.#steps[index] ?? TOP) + by * (event.shiftKey ? 1 : APART));
    else if (event.key === "Delete" && this.#steps.length > 1) this.#put(this.#steps.filter((_, place) => place !== index));
    else return;
    event.preventDefault();
    event.stopPropagation();
    this.#draw();
  }

  #fewer() {
    if (this.#steps.length > 1) this.#put(this.#steps.slice(0, -1));
    this.#draw();
  }

  #more() {
    const last = this.#steps.at(-1) ?? TOP;
    if (this.#steps.length < MOST && last > 2) this.#put([...this.#steps, Math.max(1, Math.round(last * 0.7))]);
    this.#draw();
  }
}

customElements.define("sdv2-steps", Steps);
