/** The faders: a bank that stands on large pages, two that lie on small ones; steps, seed, and what else has its place here. */

import { chosen, fill, h, segments } from "../dom.js";
import { link } from "../show.js";
import { Fader } from "../widgets/fader.js";
import { make } from "../widgets/make.js";
import { Switch } from "../widgets/plain.js";
import { Panel } from "./panel.js";

/** @typedef {import("../net/table.js").Row} Row */

// These have a place of their own on the page, made by hand.
const ELSEWHERE = /^(prompt|prompt\/.*|cue_prompt|prompt_change|transition_chunks|take|preset\/.*|morph_seconds|record|freeze|bypass|blackout|reset|input_select|seed_mode|tempo\/.*|mod\/.*|audio\/.*|feedback(\/.*)?|input\/.*|output\/.*)$/;
const TEXT = /^prompt\/\d+\/text$/;
const WEIGHT = /^prompt\/(\d+)\/weight$/;
const NUMBERED_LORA = /^lora\/\d+\/scale$/;
const LORA = /^lora\/.+\/scale$/;
const AMOUNT = /\/amount$/;
const DUO = 2;
// The banks of the panel: the group of their rows, and what the tab says.
const LOOK = "look";
const BANKS = [
  { key: LOOK, text: "Look" },
  { key: "feedback", text: "Feedback" },
  { key: "input", text: "In", name: "Input" },
  { key: "output", text: "Out", name: "Output" },
];
const narrow = matchMedia("(max-width: 767px), (max-width: 1199px) and (orientation: portrait)");

/** Numbers that are always on screen, and the weights of further prompts that are written. */
function bankRows() {
  const all = shownRows();
  const faders = all.filter((row) => row.rank === 1 && row.widget === "fader" && !WEIGHT.test(row.name));
  return [...faders, ...all.filter((row) => promptOf(row) !== "")];
}

/** The rows of the table; a LoRA that has a name goes by it alone. */
export function shownRows() {
  const all = [...link.rows.values()].filter((row) => row.hinted);
  const named = all.some((row) => LORA.test(row.name) && !NUMBERED_LORA.test(row.name));
  return named ? all.filter((row) => !NUMBERED_LORA.test(row.name)) : all;
}

/**
 * The text of a further prompt whose weight this is; empty for other rows.
 *
 * @param {Row} row
 */
function promptOf(row) {
  const slot = WEIGHT.exec(row.name)?.[1];
  return slot && slot !== "1" ? String(link.value(`prompt/${slot}/text`) ?? "") : "";
}

/**
 * The first words of a prompt, as a label.
 *
 * @param {string} text
 */
export function short(text) {
  return text.split(/\s+/).slice(0, 2).join(" ").replace(/[,.;:]$/, "");
}

/** @param {Row} row */
function labelOf(row) {
  const text = promptOf(row);
  return text ? short(text) : row.label;
}

export class Bank extends Panel {
  #shown = "";

  setup() {
    narrow.addEventListener("change", () => this.#fill());
  }

  get rows() {
    return shownRows();
  }

  build() {
    this.#shown = "";
    this.#fill();
    for (const row of link.rows.values()) {
      if (TEXT.test(row.name)) this.follow(link.watch(row.address, () => this.#fill()));
    }
  }

  #fill() {
    const rows = bankRows();
    const now = rows.map((row) => row.address + labelOf(row)).join() + narrow.matches;
    if (now === this.#shown) return;
    this.#shown = now;
    fill(this, ...rows.map((row) => new Fader(row, narrow.matches, labelOf(row))));
  }
}

export class Duo extends Panel {
  get rows() {
    return bankRows().slice(0, DUO);
  }

  build() {
    fill(this, ...this.rows.map((row) => new Fader(row, true)));
  }
}

export class Look extends Panel {
  switches = h("div", { class: "switches" });
  others = h("div", { class: "others" });
  banks = segments("Bank", BANKS, (key) => this.#bank(key), "seg banks");
  frame = h("div", { class: "others frame" });
  #group = LOOK;

  setup() {
    const all = h("button", { type: "button", class: "btn allp", "data-open": "all" }, "All parameters");
    this.append(h("div", { class: "head" }, this.banks, h("span", { class: "sp" }), this.switches));
    this.append(document.createElement("sdv2-bank"), this.others, this.frame, all);
    this.#bank(LOOK);
  }

  get rows() {
    const bank = new Set(bankRows());
    const look = shownRows().filter((row) => row.rank <= 2 && !bank.has(row) && !ELSEWHERE.test(row.name));
    return [...look, ...shownRows().filter((row) => row.group !== LOOK && BANKS.some(({ key }) => key === row.group))];
  }

  /** @param {string} key */
  #bank(key) {
    this.#group = key;
    this.dataset.bank = key;
    chosen(this.banks, key);
    this.#frame();
  }

  /** The rows of the bank, with the amount of it first. */
  #frame() {
    const rows = this.#group === LOOK ? [] : this.rows.filter((row) => row.group === this.#group);
    fill(this.frame, ...rows.sort((a, b) => Number(AMOUNT.test(b.name)) - Number(AMOUNT.test(a.name))).map(line));
  }

  build() {
    const look = this.rows.filter((row) => !BANKS.some(({ key }) => key !== LOOK && key === row.group));
    const [first, ...rest] = look.filter((row) => row.boolean);
    fill(this.switches, first && new Switch(first, first.label));
    this.#frame();
    const others = look.filter((row) => !row.boolean).sort((a, b) => Number(b.widget === "steps") - Number(a.widget === "steps"));
    fill(this.others, ...[...others, ...rest].map(line));
  }
}

/** @param {Row} row */
function line(row) {
  return h("div", { class: "line", "data-widget": row.widget }, h("span", { class: "lab" }, row.label), make(row));
}

customElements.define("sdv2-bank", Bank);
customElements.define("sdv2-duo", Duo);
customElements.define("sdv2-look", Look);
