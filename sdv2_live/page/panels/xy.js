/** The weights of prompts 1 to 4 as one dot: each corner is a prompt, an empty one takes no part. */

import { h, vars } from "../dom.js";
import { link } from "../show.js";
import { short } from "./look.js";

const CORNERS = [
  { slot: 1, x: 0, y: 0, look: "c tl" },
  { slot: 2, x: 1, y: 0, look: "c tr" },
  { slot: 3, x: 0, y: 1, look: "c bl" },
  { slot: 4, x: 1, y: 1, look: "c br" },
];
const STEP = 0.02;
const QUIET_MS = 300;

/** @param {number} slot */
export function textOf(slot) {
  return String(link.value(`prompt/${slot}/text`) ?? "");
}

/** @param {number} slot */
function weightOf(slot) {
  return Number(link.value(`prompt/${slot}/weight`) ?? 0);
}

export class XyPad extends HTMLElement {
  corners = CORNERS.map(({ slot, look }) => h("button", { type: "button", class: look, tabindex: "-1", "data-slot": slot }));
  #at = { x: 0, y: 0 };
  #held = false;
  #quiet = 0;

  connectedCallback() {
    this.tabIndex = 0;
    this.setAttribute("role", "application");
    this.setAttribute("aria-label", "Blend of four prompts; arrows move it");
    this.append(...this.corners, h("i", { class: "dot" }));
    for (const { slot } of CORNERS) {
      link.watch(`/sdv2/prompt/${slot}/text`, () => this.#follow());
      link.watch(`/sdv2/prompt/${slot}/weight`, () => this.#follow());
    }
    this.addEventListener("pointerdown", (event) => this.#grab(event));
    this.addEventListener("keydown", (event) => this.#key(event));
  }

  /** The corners that have a prompt. */
  get #written() {
    return CORNERS.filter(({ slot }) => slot === 1 || textOf(slot));
  }

  #follow() {
    this.corners.forEach((corner, index) => {
      const slot = index + 1;
      const text = textOf(slot);
      corner.textContent = text ? short(text) : `add ${slot}`;
      corner.classList.toggle("empty", !text);
    });
    if (this.#held || this.#quiet) return;
    const all = this.#written.map((corner) => ({ ...corner, weight: weightOf(corner.slot) }));
    const sum = all.reduce((total, { weight }) => total + weight, 0) || 1;
    this.#show({
      x: all.reduce((total, { x, weight }) => total + x * weight, 0) / sum,
      y: all.reduce((total, { y, weight }) => total + y * weight, 0) / sum,
    });
  }

  /** @param {{ x: number, y: number }} at */
  #show(at) {
    this.#at = at;
    vars(this, { "--x": at.x, "--y": at.y });
    const parts = this.#written.map(({ slot, x, y }) => `${short(textOf(slot))} ${Math.round(share(at, x, y) * 100)} %`);
    this.setAttribute("aria-valuetext", parts.join(", "));
  }

  /** @param {{ x: number, y: number }} at */
  #put({ x, y }) {
    this.#show({ x: Math.min(1, Math.max(0, x)), y: Math.min(1, Math.max(0, y)) });
    for (const { slot, x: right, y: down } of this.#written) {
      link.glide(`prompt/${slot}/weight`, Number(share(this.#at, right, down).toFixed(4)));
    }
    clearTimeout(this.#quiet);
    this.#quiet = setTimeout(() => {
      this.#quiet = 0;
      this.#follow();
    }, QUIET_MS);
  }

  /** @param {PointerEvent} event */
  #grab(event) {
    if (event.button !== 0) return;
    const corner = /** @type {HTMLElement} */ (event.target).closest(".empty");
    if (corner instanceof HTMLElement) {
      this.dispatchEvent(new CustomEvent("add", { detail: Number(corner.dataset.slot), bubbles: true }));
      return;
    }
    event.preventDefault();
    this.focus({ preventScroll: true });
    this.setPointerCapture(event.pointerId);
    this.#held = true;
    const { width, height } = this.getBoundingClientRect();
    const from = { ...this.#at };
    this.onpointermove = (/** @type {PointerEvent} */ move) => {
      this.#put({ x: from.x + (move.clientX - event.clientX) / width, y: from.y + (move.clientY - event.clientY) / height });
    };
    this.onpointerup = this.onpointercancel = () => {
      this.onpointermove = this.onpointerup = this.onpointercancel = null;
      this.#held = false;
    };
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const move = { ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0], ArrowUp: [0, -STEP], ArrowDown: [0, STEP] }[event.key];
    if (!move) return;
    event.preventDefault();
    event.stopPropagation();
    this.#put({ x: this.#at.x + (move[0] ?? 0), y: this.#at.y + (move[1] ?? 0) });
  }
}

/**
 * A corner's weight with the dot at a place: bilinear, 1 in its corner.
 *
 * @param {{ x: number, y: number }} at
 * @param {number} x
 * @param {number} y
 */
function share(at, x, y) {
  return (x ? at.x : 1 - at.x) * (y ? at.y : 1 - at.y);
}

customElements.define("sdv2-xy", XyPad);
