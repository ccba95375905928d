/** Prompts: what runs, the cue, the blend of up to eight, and the prompts of the night. */

import { $, fill, h } from "../dom.js";
import { link, live } from "../show.js";
import { Fader } from "../widgets/fader.js";
import { Choice, Text } from "../widgets/plain.js";
import { Cue } from "./cue.js";
import { Panel } from "./panel.js";
import { textOf } from "./xy.js";

/** @typedef {import("../net/table.js").Row} Row */

const VIEWS = ["cue", "blend", "history"];
const SLOT = /^prompt\/(\d+)\/text$/;

export class Prompts extends Panel {
  running = h("p", { class: "running" });
  blend = h("div", { class: "blend", role: "group", "aria-label": "Blended prompts" });
  history = h("div", { class: "history", role: "group", "aria-label": "Prompts of the night" });
  settings = h("div", { class: "settings" });

  setup() {
    const now = h("button", { type: "button", class: "livep", "aria-label": "The running prompt, edit it", onclick: () => this.#edit(1) });
    now.append(h("span", { class: "tag on" }, "Live"), this.running);
    const head = h("div", { class: "head" }, h("h2", {}, "Prompt"), this.#tabs(), h("span", { class: "sp" }), this.settings);
    const xy = h("div", { class: "xybox" }, document.createElement("sdv2-xy"));
    xy.addEventListener("add", (event) => this.#edit(/** @type {CustomEvent<number>} */ (event).detail));
    this.append(h("div", { class: "pmore" }, head, now, xy, this.blend, this.history));
    this.append(h("div", { class: "cue" }, new Cue(), document.createElement("sdv2-take")));
    this.#view("cue");
    this.follow(live.watch("prompts", ({ history }) => this.#past(history)));
  }

  get rows() {
    const names = ["prompt_change", "transition_chunks"];
    const settings = names.map((name) => link.row(name)).filter((row) => row !== undefined);
    return [...settings, ...this.#slots];
  }

  get #slots() {
    return [...link.rows.values()].filter((row) => SLOT.test(row.name));
  }

  build() {
    const change = link.row("prompt_change");
    const chunks = link.row("transition_chunks");
    fill(
      this.settings,
      change && new Choice(change, { soft: "Soft", cut: "Cut", flush: "Flush", recache: "Recache" }),
      chunks && h("span", { class: "over" }, h("small", {}, "over"), new Fader(chunks, true, "Transition")),
    );
    fill(this.blend, ...this.#slots.map((row) => this.#slot(row)));
    for (const row of this.#slots) {
      const weight = link.row(row.name.replace("text", "weight"));
      for (const { address } of weight ? [row, weight] : [row]) this.follow(link.watch(address, () => this.#tell()));
    }
  }

  /** @param {Row} row */
  #slot(row) {
    const number = SLOT.exec(row.name)?.[1] ?? "";
    const weight = link.row(`prompt/${number}/weight`);
    const text = new Text(row, `Prompt ${number}`);
    text.field.rows = 1;
    text.field.placeholder = "add a prompt";
    return h("div", { class: "brow", "data-slot": number }, h("i", { class: "num dim" }, number), text, weight && new Fader(weight, true, `Weight ${number}`));
  }

  #tabs() {
    const words = { cue: "Cue", blend: "Blend", history: "History" };
    const tabs = h("div", { class: "seg small ptabs", role: "tablist", "aria-label": "Prompt views" });
    for (const [view, text] of Object.entries(words)) {
      const count = h("span", { class: "dim num", "data-count": view });
      tabs.append(h("button", { type: "button", role: "tab", "data-view": view, onclick: () => this.#view(view) }, `${text} `, count));
    }
    return tabs;
  }

  /** @param {string} view */
  #view(view) {
    this.dataset.view = view;
    for (const tab of this.querySelectorAll("[role=tab]")) {
      tab.setAttribute("aria-selected", String(/** @type {HTMLElement} */ (tab).dataset.view === view));
    }
  }

  /** @param {number} slot */
  #edit(slot) {
    this.#view(VIEWS[1] ?? "");
    const field = this.blend.querySelector(`[data-slot="${slot}"] textarea`);
    if (field instanceof HTMLTextAreaElement) field.focus();
  }

  #tell() {
    const written = this.#slots.map((_, index) => index + 1).filter((slot) => textOf(slot));
    const heard = written.filter((slot) => Number(link.value(`prompt/${slot}/weight`) ?? 0) > 0);
    const all = (heard.length ? heard : [1]).map(textOf);
    this.running.textContent = all.join(" + ");
    const count = heard.length > 1 || written.length > 1 ? `${heard.length}/${this.#slots.length}` : "";
    $('[data-count="blend"]', this).textContent = count;
  }

  /** @param {{ at: number, text: string }[]} history newest first */
  #past(history) {
    $('[data-count="history"]', this).textContent = history.length ? String(history.length) : "";
    const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
    const items = history.map(({ at, text }) =>
      h(
        "button",
        { type: "button", class: "past", title: "Into the cue", onclick: () => this.#again(text) },
        h("small", { class: "num" }, clock.format(at * 1000)),
        h("span", {}, text),
      ),
    );
    fill(this.history, ...(items.length ? items : [h("p", { class: "dim none" }, "What was played is listed here.")]));
  }

  /** @param {string} text */
  #again(text) {
    this.#view("cue");
    /** @type {Cue | null} */ (this.querySelector("sdv2-cue"))?.write(text);
  }
}

customElements.define("sdv2-prompts", Prompts);
