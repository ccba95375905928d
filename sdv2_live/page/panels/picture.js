/** The output large, the input as an inset, beside it, or not at all. A tap on the inset swaps them. */

import { chosen, h, icon, segments } from "../dom.js";
import { link, live } from "../show.js";
import { Panel } from "./panel.js";

/** @typedef {import("../net/live.js").Which} Which */

const RATE = 12;
const MOST = 960; // pixels of width that are asked for
const GRAIN = 32; // so that a window that is dragged does not ask for every width
const VIEWS = { inset: "Input as inset", side: "Side by side", full: "Output alone" };
const OPTIONS = Object.entries(VIEWS).map(([key, name]) => ({ key, text: icon(key), name }));
const KEPT = "sdv2-view";

export class Picture extends Panel {
  views = segments("Pictures", OPTIONS, (key) => this.#view(key), "seg views");
  #swapped = false;
  #asked = "";

  large = h("canvas", { class: "out", role: "img", "aria-label": "Output" });
  small = h("canvas", { class: "in" });
  inset = h("button", { type: "button", class: "inset", "aria-label": "Input, tap to swap", onclick: () => this.#swap() });
  insetName = h("span", {}, "input");
  heading = h("b", {}, "Output");
  size = h("span", { class: "num dim" });
  cover = h("div", { class: "cover", role: "status", hidden: true });

  setup() {
    this.inset.append(this.small, this.insetName);
    const next = h("button", { type: "button", class: "next-view", "aria-label": "Another view", onclick: () => this.#next() }, icon("inset"));
    this.append(this.large, this.inset, h("div", { class: "plate" }, this.heading, this.size), this.views, next, this.cover);
    this.#view(localStorage.getItem(KEPT) ?? "inset");
    this.follow(live.onPicture("output", (picture) => draw(this.#swapped ? this.small : this.large, picture)));
    this.follow(live.onPicture("input", (picture) => draw(this.#swapped ? this.large : this.small, picture)));
    this.follow(live.watch("show", () => this.#tell()));
    for (const name of ["info/engine", "info/input", "status/input_shown", "bypass", "freeze", "blackout"]) {
      this.follow(link.watch(`/sdv2/${name}`, () => this.#tell()));
    }
    new ResizeObserver(() => this.#want()).observe(this);
  }

  /** @param {string} view */
  #view(view) {
    this.dataset.view = view;
    localStorage.setItem(KEPT, view);
    chosen(this.views, view);
    this.querySelector(".next-view")?.replaceChildren(icon(view));
    this.#want();
  }

  #next() {
    const all = Object.keys(VIEWS);
    this.#view(all[(all.indexOf(this.dataset.view ?? "") + 1) % all.length] ?? "inset");
  }

  #swap() {
    this.#swapped = !this.#swapped;
    [this.heading.textContent, this.insetName.textContent] = this.#swapped ? ["Input", "output"] : ["Output", "input"];
    this.large.setAttribute("aria-label", this.#swapped ? "Input" : "Output");
    this.inset.setAttribute("aria-label", this.#swapped ? "Output, tap to swap" : "Input, tap to swap");
    this.#want();
    this.#tell();
  }

  /** Ask for pictures as large as they are shown. */
  #want() {
    const wide = (/** @type {HTMLElement} */ element) => {
      const pixels = element.clientWidth * Math.min(devicePixelRatio, 2);
      return Math.min(MOST, Math.max(GRAIN * 3, Math.ceil(pixels / GRAIN) * GRAIN));
    };
    const large = { width: wide(this.large), rate: RATE };
    const small = this.inset.clientWidth ? { width: wide(this.inset), rate: RATE } : null;
    const wishes = this.#swapped ? { output: small, input: large } : { output: large, input: small };
    const asked = JSON.stringify(wishes);
    if (asked === this.#asked) return;
    this.#asked = asked;
    live.want(Object.fromEntries(Object.entries(wishes).filter(([, wish]) => wish)));
  }

  #tell() {
    const show = live.lists.show;
    const engine = String(link.value("info/engine") ?? "");
    const away = engine !== "" && engine !== "running";
    const instead = link.value("blackout") ? "black" : link.value("bypass") ? "shows the input" : link.value("freeze") ? "frozen" : "";
    const size = show ? `${show.width}×${show.height}` : "";
    this.size.textContent = this.#swapped ? "" : instead || size;
    this.size.classList.toggle("warn-t", Boolean(instead) && !this.#swapped);
    this.cover.hidden = !away;
    if (away) {
      const [what, ...rest] = engine.split(/: |; /);
      const words = h("div", {}, h("b", {}, `Engine ${what}`), h("span", {}, rest.join("; ") || "The show goes on; every parameter is kept."));
      this.cover.replaceChildren(icon("warn"), words);
    }
  }
}

/**
 * @param {HTMLCanvasElement} canvas
 * @param {ImageBitmap} picture
 */
function draw(canvas, picture) {
  if (canvas.width !== picture.width || canvas.height !== picture.height) {
    canvas.width = picture.width;
    canvas.height = picture.height;
  }
  canvas.getContext("2d")?.drawImage(picture, 0, 0);
  canvas.dataset.drawn = String(Number(canvas.dataset.drawn ?? 0) + 1);
}

customElements.define("sdv2-picture", Picture);
