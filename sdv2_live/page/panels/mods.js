/** Modulation: eight slots, each with its wave; a tap opens a slot's editor in the drawer. */

import { fill, h, polyline, vars } from "../dom.js";
import { beatNow, beatsPerBar, bpm } from "../net/beat.js";
import { isOn, isUsed, rowsOf, slots, text } from "../net/mod.js";
import { link, live } from "../show.js";
import { make } from "../widgets/make.js";
import { Drawer } from "./drawer.js";
import { Panel } from "./panel.js";

/** @typedef {import("../net/table.js").Row} Row */

const POINTS = 48;
const DECAY = 0.15; // of a cycle

/** @type {Record<string, (x: number) => number>} 0..1 over a cycle of 0..1 */
const SHAPES = {
  sine: (x) => 0.5 + 0.5 * Math.sin(2 * Math.PI * x),
  cosine: (x) => 0.5 + 0.5 * Math.cos(2 * Math.PI * x),
  triangle: (x) => 1 - Math.abs(2 * x - 1),
  saw: (x) => x,
  square: (x) => (x < 0.5 ? 1 : 0),
  exp_decay: (x) => Math.exp(-x / DECAY),
  random: (x) => [0.7, 0.25, 0.9, 0.45][Math.floor(x * 4) % 4] ?? 0,
};

/**
 * Beats of a slot's cycle; 0 where it follows something else than the beat.
 *
 * @param {string} slot
 */
function cycle(slot) {
  if (text(slot, "source") !== "lfo") return 0;
  const rate = text(slot, "rate");
  if (rate === "hz") return bpm() / 60 / Number(text(slot, "hz"));
  const [, share, unit] = /^(\d+(?:\/\d+)?)?[ _]*(beat|bar)s?$/.exec(rate) ?? [];
  const [over, under] = (share ?? "1").split("/").map(Number);
  return ((over ?? 1) / (under ?? 1)) * (unit === "bar" ? beatsPerBar() : 1);
}

class SlotTile {
  #path = polyline([]);
  #dot = h("i", { class: "ph" });
  #title = h("span", {});
  #rate = h("span", {});
  #depth = h("span", { class: "num" });

  /** @param {string} slot */
  constructor(slot) {
    this.slot = slot;
    this.button = h("button", { type: "button", class: "slot", "data-slot": slot, "data-open": "slot" });
    this.button.addEventListener("click", () => edit(slot), true);
  }

  /** Show the slot's values. */
  show() {
    const { slot, button } = this;
    const target = text(slot, "target");
    const row = link.row(target);
    const on = isOn(slot);
    const named = row?.label ?? target;
    const used = isUsed(slot);
    button.classList.toggle("empty", !used);
    button.classList.toggle("off", used && !on);
    const verdict = live.lists.modulation?.verdicts[slot] ?? "";
    button.classList.toggle("fast", verdict !== "");
    button.title = verdict ? `This wave is ${verdict}` : "";
    if (!used) {
      button.setAttribute("aria-label", `Slot ${slot}, empty`);
      fill(button, h("span", { class: "num" }, slot), h("b", {}, "+"));
      return;
    }
    const source = text(slot, "source");
    const depth = Math.round(Number(text(slot, "depth")) * 100);
    const both = text(slot, "polarity") === "both";
    this.#title.textContent = named;
    this.#rate.textContent = source === "lfo" ? (text(slot, "rate") === "hz" ? `${text(slot, "hz")} Hz` : text(slot, "rate")) : source;
    this.#depth.textContent = `${both ? "±" : depth < 0 ? "−" : "+"}${Math.abs(depth)} %`;
    const shape = SHAPES[source === "lfo" ? text(slot, "shape") : "exp_decay"] ?? ((/** @type {number} */ x) => x);
    const points = Array.from({ length: POINTS + 1 }, (_, i) => /** @type {[number, number]} */ ([(i * 100) / POINTS, 92 - 84 * shape(i / POINTS)]));
    this.#path = polyline(points);
    fill(button, h("span", { class: "t" }, h("i", { class: "num" }, slot), this.#title), h("span", { class: "wv" }, this.#path, this.#dot), h("span", { class: "b" }, this.#rate, this.#depth));
    button.setAttribute("aria-label", `Slot ${slot}: ${named}, ${this.#rate.textContent}, ${this.#depth.textContent}${on ? "" : ", off"}`);
  }

  /** Draw what moves. */
  move() {
    const beats = cycle(this.slot);
    const now = beatNow();
    this.#dot.hidden = !beats || !now;
    if (!beats || !now) return;
    const at = (now.bar * beatsPerBar() + now.beat) / beats + Number(text(this.slot, "phase"));
    const x = at - Math.floor(at);
    vars(this.#dot, { "--x": x.toFixed(3), "--y": (SHAPES[text(this.slot, "shape")]?.(x) ?? 0).toFixed(3) });
  }
}

export class Mods extends Panel {
  /** @type {SlotTile[]} */
  #tiles = [];
  /** @type {string[]} slots that the switch has stopped */
  #stopped = [];
  list = h("div", { class: "slots" });
  count = h("span", { class: "dim num" });
  all = h("button", { type: "button", class: "tog", "aria-label": "All modulation", onclick: () => this.#toggle() }, h("i"), "On");

  setup() {
    this.append(h("div", { class: "head" }, h("h2", {}, "Modulation"), this.count, h("span", { class: "sp" }), this.all), this.list);
  }

  get rows() {
    return slots().flatMap(rowsOf);
  }

  build() {
    this.hidden = slots().length === 0;
    this.#tiles = slots().map((slot) => new SlotTile(slot));
    fill(this.list, ...this.#tiles.map((tile) => tile.button));
    this.follow(live.watch("modulation", () => this.#tiles.forEach((tile) => this.#told(tile))));
    for (const tile of this.#tiles) {
      for (const row of rowsOf(tile.slot)) this.follow(link.watch(row.address, () => this.#told(tile)));
    }
  }

  /** @param {SlotTile} tile */
  #told(tile) {
    tile.show();
    const on = slots().filter(isOn);
    this.count.textContent = `${on.length} of ${slots().length}`;
    this.all.classList.toggle("on", on.length > 0);
    this.all.setAttribute("aria-pressed", String(on.length > 0));
  }

  /** Stop all slots, or let those go on that were stopped. */
  #toggle() {
    const on = slots().filter(isOn);
    for (const slot of on.length ? on : this.#stopped) link.send(`mod/${slot}/on`, on.length === 0);
    if (on.length) this.#stopped = on;
  }

  /** Draw what moves; called once a frame. */
  move() {
    for (const tile of this.#tiles) if (tile.button.clientWidth) tile.move();
  }
}

let edited = "1"; // the slot in the drawer

/** @param {string} slot */
function edit(slot) {
  edited = slot;
  document.dispatchEvent(new Event("slot"));
}

/** The editor of one slot: its rows of the table, whatever they are. */
export class SlotDrawer extends Drawer {
  heading = "Modulation";

  list = h("div", { class: "rows" });

  setup() {
    super.setup();
    this.append(this.list);
    document.addEventListener("slot", () => this.rebuild());
  }

  get rows() {
    return rowsOf(edited);
  }

  build() {
    const title = this.querySelector("h2");
    if (title) title.textContent = `Modulation ${edited}`;
    fill(this.list, h("section", {}, ...this.rows.map((row) => h("div", { class: "row", "data-widget": row.widget }, h("span", { class: "nm", title: row.doc }, row.label), make(row)))));
  }
}

customElements.define("sdv2-mods", Mods);
customElements.define("sdv2-slot", SlotDrawer);
