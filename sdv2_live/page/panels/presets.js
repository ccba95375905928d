/** Presets as tiles with pictures: a tap recalls one, a long press takes its picture anew or saves over it. */

import { chosen, fill, h, iconButton, segments } from "../dom.js";
import { link, live } from "../show.js";
import { beatsPerBar } from "../net/beat.js";
import { openMenu } from "./menu.js";
import { beatsLeft } from "./tempo.js";
import { Panel } from "./panel.js";

/** @typedef {import("../net/lists.js").PresetItem} PresetItem */
/** @typedef {import("../net/lists.js").PresetList} PresetList */

const LONG_MS = 600;
const SECONDS = [0, 2, 8]; // of a morph
const BARS = [1, 4];

/**
 * Recall a preset by its place among the tiles, from 1.
 *
 * @param {number} number
 */
export function recall(number) {
  const item = live.lists.presets?.items.find((one) => one.number === number);
  if (item?.name) link.send("preset", item.name);
}

export class Presets extends Panel {
  #made = "";
  by = h("small", { class: "by" });
  tiles = h("div", { class: "tiles", role: "group", "aria-label": "Recall a preset" });
  morph = h("div", { class: "morph" });
  camera = iconButton("cam", "Take the picture of the live preset anew", () => this.#picture(live.lists.presets?.live ?? ""));
  saveAs = h("button", { type: "button", class: "btn q save", onclick: () => this.#ask() });
  reload = iconButton("reload", "Read the files again", () => link.send("preset/reload"));
  head = h("div", { class: "head" }, h("h2", {}, "Presets"), this.by, h("span", { class: "sp" }), this.camera, this.reload, this.saveAs);
  said = h("p", { class: "said warn-t", role: "status", hidden: true });

  setup() {
    this.saveAs.append(iconOf("save"), "Save as");
    this.append(this.head, this.said, this.tiles, this.morph);
    this.follow(live.watch("presets", (list) => this.#show(list)));
    this.follow(live.watch("pending", ({ items }) => this.#waits(items.find(({ name }) => name === "preset")?.text ?? "")));
    for (const name of ["preset", "preset/name", "preset/save", "preset/replace", "preset/picture", "preset/reload"]) {
      this.follow(link.onAnswer(`/sdv2/${name}`, ({ text }) => this.#say(text.replace(/^\S+:\d+: /, ""))));
    }
  }

  get rows() {
    const names = ["morph_seconds", "tempo/morph_beats", "tempo/beats_per_bar"];
    return names.map((name) => link.row(name)).filter((row) => row !== undefined);
  }

  build() {
    for (const row of this.rows) this.follow(link.watch(row.address, () => this.#morph()));
  }

  /** Show how long a preset's numbers glide: in seconds, or in bars. */
  #morph() {
    const [seconds, beats] = [Number(link.value("morph_seconds") ?? 0), Number(link.value("tempo/morph_beats") ?? 0)];
    const bar = beatsPerBar();
    const times = [...new Set([...SECONDS, beats ? 0 : seconds])].sort((a, b) => a - b);
    const glides = link.row("tempo/morph_beats") ? [...new Set([...BARS.map((bars) => bars * bar), beats || bar])].sort((a, b) => a - b) : [];
    const options = [
      ...times.map((time) => ({ key: `s${time}`, text: time ? `${Number(time.toFixed(2))} s` : "Cut" })),
      ...glides.map((glide) => ({ key: `b${glide}`, text: inBars(glide, bar) })),
    ];
    const focused = this.morph.contains(document.activeElement);
    const group = segments("Morph time", options, choose, "seg small");
    chosen(group, beats ? `b${beats}` : `s${seconds}`);
    fill(this.morph, h("span", { class: "dim" }, "Morph"), group);
    if (focused) /** @type {HTMLElement | null} */ (group.querySelector("[aria-checked=true]"))?.focus();
  }

  /** @param {PresetList} list */
  #show(list) {
    const made = JSON.stringify([list.items, list.writable]);
    if (made !== this.#made) this.#make(list);
    this.#made = made;
    for (const tile of this.tiles.querySelectorAll(".tile")) mark(/** @type {HTMLElement} */ (tile), list);
    if (!list.items.length) fill(this.tiles, h("p", { class: "dim none" }, "No presets yet: “Save as” makes the first."));
    this.by.textContent = pictured(list.items);
    const fixed = list.writable === false;
    this.camera.disabled = fixed || !list.live;
    this.camera.hidden = fixed;
  }

  /**
   * Mark the tile that waits for the beat.
   *
   * @param {string} name
   */
  #waits(name) {
    for (const tile of /** @type {NodeListOf<HTMLElement>} */ (this.tiles.querySelectorAll(".tile"))) {
      tile.classList.toggle("waiting", name !== "" && tile.dataset.name === name);
    }
  }

  /** Count the beats down on the tile that waits; called once a frame. */
  move() {
    const left = this.tiles.querySelector(".waiting .when b");
    const text = left ? String(beatsLeft() ?? "") : "";
    if (left && left.textContent !== text) left.textContent = text;
  }

  /** @param {PresetList} list */
  #make(list) {
    const focused = this.tiles.querySelector(":focus")?.getAttribute("data-number");
    fill(this.tiles, ...list.items.map((item) => this.#tile(item, list)));
    if (focused) /** @type {HTMLElement | null} */ (this.tiles.querySelector(`[data-number="${focused}"]`))?.focus();
    this.#waits(live.lists.pending?.items.find((item) => item.name === "preset")?.text ?? "");
  }

  /**
   * @param {PresetItem} item
   * @param {PresetList} list
   */
  #tile(item, list) {
    const { mistake } = item;
    const line = mistake?.line == null ? "mistake" : `line ${mistake.line}`;
    const tile = h("button", {
      type: "button",
      class: mistake ? "tile broken" : "tile",
      "aria-label": mistake ? `${item.label}, ${line}: ${mistake.text}` : item.label,
      "data-name": item.name,
      "data-number": item.number,
      title: mistake ? `${mistake.file}, ${line}: ${mistake.text}` : item.label,
    });
    const picture = item.picture ? h("img", { src: item.picture, alt: "", loading: "lazy", draggable: "false" }) : h("span", { class: "blank" }, /\p{L}/u.exec(item.label)?.[0].toUpperCase() ?? "");
    const name = h("span", { class: "name" }, item.label);
    tile.append(picture, h("span", { class: "when", "aria-hidden": "true" }, h("b", { class: "num" }), h("small", {}, "beats")), h("span", { class: "n" }, h("i", { class: "num" }, String(item.number)), name, h("em", {}, mistake ? line : "")));
    longPress(tile, () => this.#menu(tile, item, list));
    tile.addEventListener("click", () => {
      if (mistake) document.dispatchEvent(new CustomEvent("drawer", { detail: "state" }));
      else link.send("preset", item.name);
    });
    return tile;
  }

  /**
   * @param {HTMLElement} tile
   * @param {PresetItem} item
   * @param {PresetList} list
   */
  #menu(tile, item, list) {
    const fixed = list.writable === false || !item.name;
    openMenu(tile, item.label, [
      { text: "Take its picture anew", act: () => this.#picture(item.name), dim: fixed },
      { text: `Save over ${item.label}`, act: () => link.send("preset/replace", item.name), dim: fixed },
    ]);
  }

  /** @param {string} name */
  #picture(name) {
    if (name) link.send("preset/picture", name);
  }

  /** Let a new preset be named, in the head's own place. */
  #ask() {
    const field = h("input", { "aria-label": "Name of the new preset", placeholder: "Name", maxlength: "60" });
    const form = h("form", { class: "saving" }, field, h("button", { class: "btn q" }, "Save"), iconButton("x", "Do not save", () => close()));
    const close = () => {
      form.remove();
      this.head.classList.remove("asking");
      this.saveAs.focus();
    };
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (field.value.trim()) link.send("preset/save", field.value.trim());
      close();
    });
    form.addEventListener("keydown", (event) => {
      event.stopPropagation();
      if (event.key === "Escape") close();
    });
    this.head.classList.add("asking");
    this.head.append(form);
    field.focus();
  }

  /** @param {string} text */
  #say(text) {
    this.said.textContent = text;
    this.said.hidden = false;
    setTimeout(() => (this.said.hidden = true), 6000);
  }
}

/**
 * Show on a tile whether it is live, and edited since.
 *
 * @param {HTMLElement} tile
 * @param {PresetList} list
 */
function mark(tile, list) {
  const isLive = Boolean(list.live) && tile.dataset.name === list.live;
  tile.setAttribute("aria-pressed", String(isLive));
  tile.classList.toggle("edited", isLive && list.edited);
  if (!tile.classList.contains("broken")) tile.querySelector("em")?.replaceChildren(isLive && list.edited ? "edited" : "");
}

/** @param {string} key of a morph's time: s and seconds, or b and beats */
function choose(key) {
  const time = Number(key.slice(1));
  const beats = key.startsWith("b") ? time : 0;
  if (link.row("tempo/morph_beats")) link.send("tempo/morph_beats", beats);
  if (!beats) link.send("morph_seconds", time);
}

/**
 * @param {number} beats
 * @param {number} bar beats of a bar
 */
function inBars(beats, bar) {
  const bars = beats / bar;
  const [count, unit] = Number.isInteger(bars) ? [bars, "bar"] : [Number(beats.toFixed(2)), "beat"];
  return `${count} ${unit}${count === 1 ? "" : "s"}`;
}

/** @param {string} name */
function iconOf(name) {
  return iconButton(name, "", () => undefined).firstChild ?? "";
}

/**
 * Which tiles have pictures of which model, said once.
 *
 * @param {PresetItem[]} items
 */
function pictured(items) {
  const by = items.map((item) => item.pictured_by).filter(Boolean);
  const models = [...new Set(by)];
  return models.length ? `pictured by ${models.join(", ")}` : "";
}

/**
 * @param {HTMLElement} element
 * @param {() => void} act
 */
function longPress(element, act) {
  let timer = 0;
  let acted = false;
  const end = () => clearTimeout(timer);
  const run = () => {
    acted = true;
    act();
  };
  element.addEventListener("pointerdown", (event) => {
    acted = false;
    if (event.button === 0) timer = setTimeout(run, LONG_MS);
  });
  for (const name of ["pointerup", "pointercancel", "pointerleave", "pointermove"]) {
    element.addEventListener(name, (event) => (name !== "pointermove" || moved(/** @type {PointerEvent} */ (event))) && end());
  }
  element.addEventListener("contextmenu", (event) => {
    event.preventDefault();
    if (!acted) run();
  });
  element.addEventListener("click", (event) => acted && event.stopImmediatePropagation(), true);
}

/** @param {PointerEvent} event */
function moved(event) {
  return Math.hypot(event.movementX, event.movementY) > 3;
}

customElements.define("sdv2-presets", Presets);
