/** The timeline's file and its keys, beside the strip. */

import { fill, h, icon, iconButton } from "../dom.js";
import { link, live } from "../show.js";
import { openMenu } from "./menu.js";
import { Panel } from "./panel.js";
import { NONE, Strip, clock } from "./strip.js";

/** @typedef {import("../net/lists.js").TimelineList} TimelineList */

const SAID_MS = 6000;

export class Timeline extends Panel {
  #saying = 0;

  file = h("b", {}, "No timeline");
  time = h("small", { class: "num" });
  play = iconButton("play", "Play", () => this.#press(), "btn");
  next = iconButton("next", "Next marker", () => link.send("timeline/next"), "btn");
  loop = iconButton("loop", "Loop", () => link.send("timeline/loop", !live.lists.timeline?.loop), "btn");
  record = h("button", { type: "button", class: "btn recm", "aria-label": "Record the moves of the hand", onclick: () => this.#record() });
  strip = new Strip();

  setup() {
    const chooser = h("button", { type: "button", class: "file", "aria-haspopup": "menu", onclick: () => this.#choose(chooser) });
    chooser.append(this.file, h("span", { class: "car", "aria-hidden": "true" }), h("span", { class: "sp" }), this.time);
    this.record.append(icon("rec"), h("span", {}, "Moves"));
    const keys = h("div", { class: "grp" }, this.play, this.next, this.loop, this.record);
    this.append(h("div", { class: "tl-ctl" }, chooser, keys), this.strip);
    this.#show(NONE);
    this.follow(live.watch("timeline", (list) => this.#show(list)));
    this.follow(link.watch("/sdv2/status/timeline_playing", () => this.#keys()));
    this.follow(live.watch("pending", ({ items }) => this.#waits(new Set(items.map(({ name }) => name)))));
    for (const name of ["load", "play", "stop", "next", "seek", "loop", "record", "save"]) {
      this.follow(link.onAnswer(`/sdv2/timeline/${name}`, ({ text }) => this.#say(text.replace(/^\S+:\d+: /, ""))));
    }
  }

  get playing() {
    return Boolean(link.value("status/timeline_playing"));
  }

  /** Play, or stop; a play that waits for the beat is taken back. */
  #press() {
    link.send(this.playing || this.play.classList.contains("waiting") ? "timeline/stop" : "timeline/play");
  }

  /** @param {Set<string>} names of what waits for the beat */
  #waits(names) {
    this.play.classList.toggle("waiting", names.has("timeline/play"));
    this.next.classList.toggle("waiting", names.has("timeline/next"));
    this.strip.classList.toggle("waiting", names.has("timeline/seek"));
  }

  /** Draw what moves; called once a frame. */
  move() {
    const list = live.lists.timeline;
    if (!list || this.#saying) return;
    this.strip.move();
    const at = clock(this.strip.position ?? 0);
    const text = list.recording ? `${at} recording` : list.seconds ? `${at} / ${clock(list.seconds)}` : "";
    if (this.time.textContent !== text) this.time.textContent = text;
  }

  /** @param {TimelineList} list */
  #show(list) {
    this.strip.show(list);
    this.file.textContent = list.recording ? "New timeline" : list.file || "No timeline";
    if (list.mistake) {
      const { file, line, text } = list.mistake;
      this.#say(`${file}${line == null ? "" : `, line ${line}`}: ${text}`);
    }
    this.#keys();
  }

  #keys() {
    const list = live.lists.timeline ?? NONE;
    for (const key of [this.play, this.next, this.loop]) key.disabled = !list.seconds || list.recording;
    fill(this.play, icon(this.playing ? "stop" : "play"));
    this.play.setAttribute("aria-label", this.playing ? "Stop" : "Play");
    this.play.classList.toggle("on", this.playing);
    this.loop.classList.toggle("on", list.loop);
    this.loop.setAttribute("aria-pressed", String(list.loop));
    this.record.setAttribute("aria-pressed", String(list.recording));
  }

  #record() {
    link.send("timeline/record", !live.lists.timeline?.recording);
  }

  /** @param {HTMLElement} anchor */
  #choose(anchor) {
    const list = live.lists.timeline;
    const files = list?.files ?? [];
    const items = files.map((file) => ({ text: file, act: () => link.send("timeline/load", file) }));
    if (!items.length) items.push({ text: "No files in timeline.dir", act: () => undefined });
    if (list?.seconds) items.push({ text: "Save as…", act: () => this.#ask() });
    openMenu(anchor, "Timelines", items);
  }

  /** Let the timeline be saved under another name. */
  #ask() {
    const field = h("input", { "aria-label": "Name of the file, .json for Scope's format", placeholder: "name.yaml or name.json" });
    const form = h("form", { class: "saving" }, field, h("button", { class: "btn q" }, "Save"));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (field.value.trim()) link.send("timeline/save", field.value.trim());
      form.remove();
    });
    form.addEventListener("keydown", (event) => {
      event.stopPropagation();
      if (event.key === "Escape") form.remove();
    });
    field.addEventListener("blur", (event) => !form.contains(/** @type {Node | null} */ (event.relatedTarget)) && form.remove());
    this.querySelector(".tl-ctl")?.append(form);
    field.focus();
  }

  /** @param {string} text */
  #say(text) {
    clearTimeout(this.#saying);
    this.time.textContent = text;
    this.time.title = text;
    this.time.classList.add("warn-t");
    this.#saying = setTimeout(() => {
      this.#saying = 0;
      this.time.classList.remove("warn-t");
    }, SAID_MS);
  }
}

customElements.define("sdv2-timeline", Timeline);
