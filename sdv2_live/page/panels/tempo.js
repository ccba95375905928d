/** The tempo's row: beat, tap, who leads, the grid of launches, what waits for it, and the sound that is heard. */

import { chosen, fill, h, icon, segments, vars } from "../dom.js";
import { beatNow, bpm } from "../net/beat.js";
import { link, live } from "../show.js";
import { openMenu } from "./menu.js";
import { Panel } from "./panel.js";

/** @typedef {import("../net/table.js").Row} Row */

/** @type {Record<string, string>} */
const GRIDS = { none: "Off", beat: "Beat", bar: "Bar", "2bars": "2", "4bars": "4", "8bars": "8" };
/** @type {Record<string, string>} */
const SOURCES = { internal: "Internal", link: "Link", midi: "MIDI clock", audio: "Sound", osc: "OSC" };
const METERS = { low: "L", mid: "M", high: "H", kick: "K" };
const BLINKS_BPM = 170; // faster, and what waits blinks every other beat: never more than three times a second

/** Tap the tempo. */
export function tap() {
  link.send("tempo/tap");
}

/** The next grid of launches, after the last the first. */
export function nextGrid() {
  const choices = link.row("tempo/quantise")?.choices ?? [];
  const next = choices[(choices.indexOf(String(link.value("tempo/quantise"))) + 1) % choices.length];
  if (next) link.send("tempo/quantise", next);
}

/** Launch what waits, now. */
export function go() {
  link.send("tempo/go");
}

/** Let nothing wait any more. */
export function cancel() {
  link.send("tempo/cancel");
}

export class Tempo extends Panel {
  #on = -1; // the beat whose lamp is on

  number = h("span", { class: "num" }, "–");
  bpm = h("button", { type: "button", class: "bpm", onclick: () => this.#type() }, this.number, h("small", {}, "bpm"));
  beats = h("div", { class: "beats", role: "img" });
  bar = h("div", { class: "barno num", "aria-hidden": "true" });
  source = h("b", {});
  state = h("small", {});
  lead = h("button", { type: "button", class: "src", "aria-haspopup": "menu", onclick: () => this.#choose() });
  grid = h("div", { class: "quant" });
  pending = h("div", { class: "pending", role: "status" });
  meters = h("div", { class: "meters", role: "img", "aria-label": "Sound: low, mid, high, kick", hidden: true });

  setup() {
    this.lead.append(this.source, this.state);
    const tapped = h("button", { type: "button", class: "btn tap" }, "Tap");
    tapped.addEventListener("pointerdown", (event) => event.button === 0 && tap()); // the moment of a tap is when it goes down
    tapped.addEventListener("keydown", (event) => {
      if ((event.key === "Enter" || event.key === " ") && !event.repeat) {
        event.preventDefault();
        tap();
      }
    });
    this.append(this.bpm, this.beats, this.bar, tapped, this.#nudges(), this.lead, this.grid, this.pending, this.meters);
    this.follow(link.watch("/sdv2/tempo/bpm", (value) => this.#tempo(Number(value))));
    for (const name of ["tempo/source", "info/tempo", "status/link_peers"]) this.follow(link.watch(`/sdv2/${name}`, () => this.#leads()));
    this.follow(live.watch("pending", () => this.#waits()));
    this.follow(link.watch("/sdv2/status/pending_beats", (left) => (told = { left: Number(left), at: performance.now() })));
    this.#waits();
  }

  get rows() {
    const names = ["tempo/bpm", "tempo/quantise", "tempo/beats_per_bar", "tempo/source"];
    return names.map((name) => link.row(name)).filter((row) => row !== undefined);
  }

  build() {
    this.hidden = !link.row("tempo/bpm");
    const grid = link.row("tempo/quantise");
    if (grid) {
      const options = grid.choices.map((key) => ({ key, text: GRIDS[key] ?? key, name: `Launch on ${key}` }));
      const group = segments("Quantise launches to", options, (key) => link.send(grid.name, key), "seg");
      const list = h("button", { type: "button", class: "btn q", "aria-haspopup": "menu", onclick: () => this.#grids(list, grid) });
      fill(this.grid, group, list);
      this.follow(
        link.watch(grid.address, (value) => {
          chosen(group, String(value));
          list.textContent = GRIDS[String(value)] ?? String(value);
          list.setAttribute("aria-label", `Launch on ${value}`);
        }),
      );
    }
    this.follow(link.watch("/sdv2/tempo/beats_per_bar", (count) => fill(this.beats, ...Array.from({ length: Number(count) }, () => h("i")))));
    this.#meters();
  }

  /** Draw what moves; called once a frame. */
  move() {
    this.#left();
    const now = beatNow();
    const on = now ? Math.floor(now.beat) : -1;
    if (on === this.#on) return;
    this.#on = on;
    [...this.beats.children].forEach((lamp, index) => lamp.classList.toggle("on", index === on));
    this.bar.textContent = now ? `${now.bar + 1}.${on + 1}` : "";
    this.beats.setAttribute("aria-label", now ? `Bar ${now.bar + 1}, beat ${on + 1}` : "No beat yet");
    if (on === 0 || bpm() <= BLINKS_BPM || on % 2 === 0) this.#blink();
  }

  /** Begin a blink of what waits on this beat. */
  #blink() {
    const beat = 60 / bpm();
    vars(document.body, { "--beat": `${(bpm() > BLINKS_BPM ? 2 : 1) * beat}s` });
    for (const animation of document.getAnimations()) {
      if (animation instanceof CSSAnimation && ["wait", "rim"].includes(animation.animationName)) animation.currentTime = 0;
    }
  }

  #nudges() {
    const held = (/** @type {string} */ name, /** @type {string} */ text, /** @type {string} */ label) => {
      const key = h("button", { type: "button", class: "btn", "aria-label": label, title: label }, text);
      let down = false;
      const press = (/** @type {boolean} */ on) => {
        if (on !== down) link.send(name, on);
        down = on;
      };
      key.addEventListener("pointerdown", (event) => event.button === 0 && press(true));
      key.addEventListener("keydown", (event) => (event.key === "Enter" || event.key === " ") && press(true));
      for (const end of ["pointerup", "pointercancel", "pointerleave", "keyup", "blur"]) key.addEventListener(end, () => press(false));
      return key;
    };
    const fires = (/** @type {string} */ name, /** @type {string} */ text, /** @type {string} */ label) =>
      h("button", { type: "button", class: "btn", "aria-label": label, title: label, onclick: () => link.send(name) }, text);
    return h(
      "div",
      { class: "grp nudges", role: "group", "aria-label": "Nudge and factor" },
      held("tempo/pull", "−", "Slower while held"),
      held("tempo/push", "+", "Faster while held"),
      fires("tempo/divide", "÷2", "Half the tempo"),
      fires("tempo/multiply", "×2", "Double the tempo"),
      fires("tempo/resync", "Resync", "This is beat one"),
    );
  }

  /** @param {number} value */
  #tempo(value) {
    this.number.textContent = value.toFixed(1);
    this.bpm.setAttribute("aria-label", `Tempo, ${value.toFixed(1)} beats a minute, type to change`);
  }

  #leads() {
    const source = String(link.value("tempo/source") ?? "");
    const words = String(link.value("info/tempo") ?? "");
    const peers = Number(link.value("status/link_peers") ?? 0);
    const lost = words.includes("silent");
    fill(this.source, SOURCES[source] ?? source, h("span", { class: "car", "aria-hidden": "true" }));
    this.state.textContent = lost ? "freewheel" : source === "link" ? `${peers} peer${peers === 1 ? "" : "s"}` : "";
    this.state.classList.toggle("warn-t", lost);
    this.lead.setAttribute("aria-label", `Tempo source: ${SOURCES[source] ?? source}, ${words}`);
    this.lead.title = words;
  }

  #choose() {
    const choices = link.row("tempo/source")?.choices ?? [];
    const items = choices.map((key) => ({ text: SOURCES[key] ?? key, act: () => link.send("tempo/source", key) }));
    openMenu(this.lead, "Who leads the tempo", items);
  }

  /**
   * @param {HTMLElement} anchor
   * @param {Row} row
   */
  #grids(anchor, row) {
    const items = row.choices.map((key) => ({ text: key === "none" ? "At once" : `On the ${GRIDS[key]?.toLowerCase()}${/\d/.test(key) ? " bars" : ""}`, act: () => link.send(row.name, key) }));
    openMenu(anchor, "Quantise launches to", items);
  }

  #waits() {
    const items = live.lists.pending?.items ?? [];
    const [first, ...more] = items;
    if (!first) {
      fill(this.pending, h("span", { class: "none" }, "Nothing waits"));
      return;
    }
    const chip = h("span", { class: "pend" }, h("b", {}, first.text), more.length > 0 && h("small", { class: "num" }, `+${more.length}`), h("span", { class: "num left" }));
    const stop = h("button", { type: "button", class: "btn", "aria-label": "Cancel what waits", onclick: cancel }, icon("x"));
    fill(this.pending, chip, h("button", { type: "button", class: "btn", onclick: go }, "Go"), stop);
    this.#left();
  }

  #left() {
    const place = this.pending.querySelector(".left");
    if (!place) return;
    const left = beatsLeft();
    const text = left === null ? "" : `${left} beat${left === 1 ? "" : "s"}`;
    if (place.textContent !== text) place.textContent = text;
  }

  #meters() {
    const names = /** @type {(keyof typeof METERS)[]} */ (Object.keys(METERS));
    const bars = names.map((name) => h("i", { class: name === "kick" ? "k" : "", "data-meter": name }));
    const level = h("b", { class: "num" });
    fill(this.meters, ...bars.map((bar, index) => h("span", { class: "mt" }, bar, h("small", {}, METERS[names[index] ?? "low"]))), h("span", { class: "db" }, level, h("small", {}, "dB")));
    this.follow(
      live.watch("sound", (sound) => {
        this.meters.hidden = sound.source === "off";
        names.forEach((name, index) => vars(/** @type {HTMLElement} */ (bars[index]), { "--v": sound[name] ?? 0 }));
        level.textContent = sound.live ? Math.round(sound.peak_db ?? 0).toString().replace("-", "−") : "–";
        this.meters.title = `Sound: ${sound.source}`;
      }),
    );
  }

  /** Let the tempo be typed. */
  #type() {
    const field = h("input", { class: "num typed", inputmode: "decimal", "aria-label": "Tempo in beats a minute" });
    field.value = this.number.textContent ?? "";
    let open = true;
    const close = (/** @type {boolean} */ take) => {
      if (!open) return;
      open = false;
      const value = Number(field.value.trim().replace(",", "."));
      field.replaceWith(this.number);
      if (take && Number.isFinite(value) && value > 0) link.send("tempo/bpm", value);
    };
    field.addEventListener("keydown", (event) => {
      event.stopPropagation();
      if (event.key !== "Enter" && event.key !== "Escape") return;
      event.preventDefault();
      close(event.key === "Enter");
      this.bpm.focus();
    });
    field.addEventListener("click", (event) => event.stopPropagation());
    field.addEventListener("blur", () => close(true));
    this.number.replaceWith(field);
    field.focus();
    field.select();
  }
}

/** @type {{ left: number, at: number }} what the show told last */
let told = { left: 0, at: 0 };

/** Whole beats until what waits is launched, at least 1; null while nothing waits, or before the show has told. */
export function beatsLeft() {
  if (!live.lists.pending?.items.length || !told.left) return null;
  return Math.max(1, Math.ceil(told.left - ((performance.now() - told.at) / 60000) * bpm()));
}

customElements.define("sdv2-tempo", Tempo);
