/** The timeline as a strip: clips of prompts and presets, single events, curves, markers, the playhead. */

import { fill, h, polyline, vars } from "../dom.js";
import { link } from "../show.js";

/** @typedef {import("../net/lists.js").TimelineList} TimelineList */
/** @typedef {import("../net/lists.js").TimelineEvent} TimelineEvent */

const TICKS = [0.5, 1, 2, 5, 10, 30, 60, 300, 600];
const MOST_TICKS = 40;
const RIGHT = 0.85; // from where on a marker's name stands to its left
const CURVES = 3; // that are drawn
const JUMP_S = 1.5; // beyond which the head is set and not pulled

/** @param {number} seconds */
export function clock(seconds) {
  const whole = Math.floor(seconds / 60);
  return `${String(whole).padStart(2, "0")}:${(seconds % 60).toFixed(1).padStart(4, "0")}`;
}

/** @type {TimelineList} */
export const NONE = { file: "", files: [], seconds: 0, loop: false, markers: [], events: [], curves: [], recording: false, mistake: null };

export class Strip extends HTMLElement {
  /** @type {TimelineList | null} */
  #list = null;
  head = h("i", { class: "head-l" });
  #told = { at: 0, when: 0 };

  connectedCallback() {
    for (const [name, value] of Object.entries({ role: "slider", tabindex: "0", "aria-label": "Position" })) this.setAttribute(name, value);
    this.addEventListener("pointerdown", (event) => this.#seek(event));
    this.addEventListener("keydown", (event) => this.#key(event));
    link.watch("/sdv2/status/timeline", (at) => this.#tell(Number(at)));
    link.watch("/sdv2/status/timeline_playing", () => this.#tell(this.position));
  }

  /** Seconds at which the head stands now: between two reports of the show it moves by itself. */
  get position() {
    const on = link.value("status/timeline_playing") || this.#list?.recording;
    const at = this.#told.at + (on && link.line.state === "open" ? (performance.now() - this.#told.when) / 1000 : 0);
    return Math.min(at, this.#list?.seconds || at);
  }

  /** @param {number} at */
  #tell(at) {
    const pulled = Math.abs(at - this.position) < JUMP_S ? (this.position + at) / 2 : at;
    this.#told = { at: link.value("status/timeline_playing") ? pulled : at, when: performance.now() };
  }

  /** Draw the head; called once a frame. */
  move() {
    const seconds = this.#list?.seconds ?? 0;
    if (!seconds) return;
    vars(this, { "--p": Math.min(1, this.position / seconds) });
    const text = `${this.position.toFixed(0)} seconds`;
    if (this.getAttribute("aria-valuetext") !== text) {
      this.setAttribute("aria-valuetext", text);
      this.setAttribute("aria-valuenow", this.position.toFixed(0));
      this.setAttribute("aria-valuemax", seconds.toFixed(0));
    }
  }

  /** @param {TimelineList} list */
  show(list) {
    this.#list = list;
    this.classList.toggle("recording", list.recording);
    this.classList.toggle("empty", !list.seconds);
    if (!list.seconds) {
      const hint = list.recording ? "Recording the moves of the hand" : "No timeline. Load a file, or record your moves.";
      fill(this, h("span", { class: "hint" }, hint));
      return;
    }
    const at = (/** @type {number} */ seconds) => `${(seconds / list.seconds) * 100}%`;
    const parts = [...ticks(list.seconds, at), ...list.markers.map((marker) => mark(marker, list.seconds, at))];
    for (const event of list.events) parts.push(event.until === null || event.what === "value" ? dot(event, at) : clip(event, at));
    const curves = list.curves.slice(0, CURVES).map((curve) => line(curve.points, list.seconds));
    const loop = list.loop ? h("i", { class: "loop" }) : null;
    const took = list.recording ? h("i", { class: "took" }) : null;
    fill(this, took, loop, ...parts, ...curves, this.head);
    this.move();
  }

  /** @param {PointerEvent} event */
  #seek(event) {
    if (event.button !== 0 || !this.#list?.seconds || this.#list.recording) return;
    const { left, width } = this.getBoundingClientRect();
    const at = Math.min(1, Math.max(0, (event.clientX - left) / width)) * this.#list.seconds;
    link.send("timeline/seek", at);
    if (link.value("tempo/quantise") === "none") this.#told = { at, when: performance.now() }; // else it waits for the beat
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const marks = [0, ...(this.#list?.markers.map((marker) => marker.at) ?? [])];
    const now = this.position;
    let to;
    if (event.key === "Home") to = 0;
    else if (event.key === "ArrowRight") to = marks.find((at) => at > now + 0.1);
    else if (event.key === "ArrowLeft") to = marks.filter((at) => at < now - 1).at(-1) ?? 0;
    else return;
    event.preventDefault();
    event.stopPropagation();
    if (to !== undefined) link.send("timeline/seek", to);
  }
}

/** @typedef {(seconds: number) => string} At */

/**
 * @param {number} seconds
 * @param {At} at
 */
function ticks(seconds, at) {
  const every = TICKS.find((step) => seconds / step <= MOST_TICKS) ?? seconds;
  return Array.from({ length: Math.ceil(seconds / every) }, (_, index) => {
    const tick = h("i", { class: index % 4 ? "tick" : "tick long" });
    tick.style.setProperty("left", at(index * every));
    return tick;
  });
}

/**
 * @param {{ at: number, name: string }} marker
 * @param {number} seconds
 * @param {At} at
 */
function mark(marker, seconds, at) {
  const late = marker.at > seconds * RIGHT;
  const made = h("span", { class: late ? "mk r" : "mk" }, marker.name);
  if (late) made.style.setProperty("right", `calc(100% - ${at(marker.at)})`);
  else made.style.setProperty("left", at(marker.at));
  return made;
}

/**
 * @param {TimelineEvent} event
 * @param {At} at
 */
function clip(event, at) {
  const made = h("span", { class: `clip ${event.what}`, title: event.text || event.name }, event.text || event.name);
  made.style.setProperty("left", at(event.at));
  made.style.setProperty("width", `calc(${at((event.until ?? event.at) - event.at)} - 2px)`);
  return made;
}

/**
 * @param {TimelineEvent} event
 * @param {At} at
 */
function dot(event, at) {
  const made = h("i", { class: `ev ${event.what}`, title: `${event.name} ${event.text}`.trim() });
  made.style.setProperty("left", at(event.at));
  return made;
}

/**
 * A curve over the strip's length: each value holds until the next.
 *
 * @param {[number, number][]} points
 * @param {number} seconds
 */
function line(points, seconds) {
  const values = points.map(([, value]) => value);
  const [low, high] = [Math.min(0, ...values), Math.max(1, ...values)];
  const y = (/** @type {number} */ value) => 96 - ((value - low) / (high - low)) * 92;
  return polyline(
    points.flatMap(([at, value], index) => {
      const until = points[index + 1]?.[0] ?? seconds;
      return /** @type {[number, number][]} */ ([at, until].map((second) => [(second / seconds) * 100, y(value)]));
    }),
  );
}

customElements.define("sdv2-strip", Strip);
