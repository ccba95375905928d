/** The top row: input, output, engine, figures, the record lamp, and the ways to the drawers. */

import { fill, h, icon } from "../dom.js";
import { link, live } from "../show.js";
import { Panel } from "./panel.js";
import { spark } from "./spark.js";
import { unseen } from "./state.js";

/** @typedef {import("./spark.js").Name} Name */

/** @type {[Name, string, string][]} */
const FIGURES = [
  ["fps_in", "in", "f-in"],
  ["fps", "painted", "f-painted"],
  ["fps_out", "out", "f-out"],
  ["latency_ms", "latency", "f-latency"],
];

export class Top extends Panel {
  input = chip("Input");
  output = h("span", { class: "chip outp" });
  engine = chip("Engine");
  record = h("button", { type: "button", class: "chip rec", onclick: () => link.send("record", link.value("record") !== true) });
  state = h("button", { type: "button", class: "chip icon", "data-open": "state" });

  setup() {
    const all = h("button", { type: "button", class: "chip icon", "data-open": "all", "aria-label": "All parameters" }, icon("list"));
    all.append(h("span", { class: "lbl" }, "All"));
    const figures = h("div", { class: "figs", role: "group", "aria-label": "Frames a second, latency" }, ...FIGURES.map(figure));
    const lock = h("button", { type: "button", class: "chip icon", "data-lock": true, "aria-pressed": "false", "aria-label": "Lock against touch" });
    lock.append(icon("unlock"), h("span", { class: "lbl" }, "Lock"));
    const mark = h("b", { class: "mark" }, "sdv2-live");
    this.append(mark, this.input, this.output, this.engine, figures, this.record, all, this.state, lock);
    for (const name of ["info/source", "info/input", "status/input_shown", "status/tally_program", "status/tally_preview", "status/watched", "info/engine", "record", "status/recording"]) {
      this.follow(link.watch(`/sdv2/${name}`, () => this.#tell()));
    }
    for (const kind of /** @type {const} */ (["show", "takes", "log"])) this.follow(live.watch(kind, () => this.#tell()));
    this.follow(link.watch("/sdv2/status/latency_p95_ms", (value) => put(this, "p95", value ? `p95 ${Number(value).toFixed(0)}` : "")));
    for (const [name] of FIGURES) {
      const digits = name === "latency_ms" ? 0 : 1;
      this.follow(link.watch(`/sdv2/status/${name}`, (value) => put(this, name, name === "latency_ms" && !value ? "–" : Number(value).toFixed(digits))));
    }
    document.addEventListener("seen", () => this.#tell());
    setInterval(() => this.#recording(), 1000);
    this.#tell();
  }

  #tell() {
    const show = live.lists.show;
    const words = String(link.value("info/input") ?? "");
    const shown = Number(link.value("status/input_shown") ?? 0);
    const source = String(link.value("info/source") ?? "");
    say(this.input, shown === 0 ? "ok" : "warn", shown === 0 ? plain(show?.input || source || "Input") : words);
    this.input.setAttribute("aria-label", `Input: ${words || source}`);
    this.input.title = `${words} ${source}`.trim();
    const engine = String(link.value("info/engine") ?? "");
    const runs = engine === "running" || engine === "";
    say(this.engine, runs ? "ok" : "warn", runs ? show?.model || "engine" : (engine.split(/[:;,]/)[0] ?? engine));
    this.engine.setAttribute("aria-label", `Engine ${engine}${show?.model ? `, ${show.model}` : ""}`);
    this.#receivers();
    this.#recording();
    const warnings = unseen();
    const count = warnings ? h("span", { class: "count num" }, String(warnings)) : null;
    fill(this.state, icon("pulse"), h("span", { class: "lbl" }, "State"), count);
    this.state.setAttribute("aria-label", warnings ? `State, ${warnings} to look at` : "State");
  }

  #receivers() {
    const program = Boolean(link.value("status/tally_program"));
    const preview = Boolean(link.value("status/tally_preview"));
    const watched = Number(link.value("status/receivers") ?? link.value("status/watched") ?? 0);
    const lamp = program ? h("span", { class: "tally" }, "PGM") : preview ? h("span", { class: "tally pvw" }, "PVW") : null;
    const counted = link.row("status/receivers") ? `${watched} receiver${watched === 1 ? "" : "s"}` : "received";
    const text = watched ? counted : "no receiver";
    fill(this.output, lamp, h("span", { class: lamp ? "dim wide" : "dim" }, text));
    this.output.setAttribute("aria-label", `Output ${live.lists.show?.output ?? ""}, ${text}${program ? ", on program" : ""}`);
  }

  #recording() {
    const on = link.value("record") === true;
    const since = live.lists.takes?.recording?.since;
    const seconds = on && since ? Math.max(0, Math.floor(Date.now() / 1000 - since)) : 0;
    const time = since ? ` ${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}` : "";
    this.record.classList.toggle("on", on);
    this.record.setAttribute("aria-pressed", String(on));
    this.record.setAttribute("aria-label", on ? `Recording a take${time}, end it` : "Record a take");
    fill(this.record, icon("rec"), h("span", { class: "chip-t num" }, on ? `Rec${time}` : "Rec"));
  }
}

/** @param {[Name, string, string]} one */
function figure([name, label, look]) {
  const also = name === "latency_ms" ? h("small", { "data-figure": "p95" }) : null;
  return h("span", { class: `fig ${look}` }, h("small", {}, label), h("b", { class: "num", "data-figure": name }, "–"), also, spark(name));
}

/**
 * A source's name without its kind, a file's without its folders.
 *
 * @param {string} source
 */
function plain(source) {
  const name = source.replace(/^(ndi|file|spout|test):/, "");
  return source.startsWith("file:") ? (name.split(/[\\/]/).at(-1) ?? name) : name;
}

/** @param {string} label */
function chip(label) {
  return h("button", { type: "button", class: `chip ${label.toLowerCase()}`, "data-open": "state", "aria-label": label }, h("i", { class: "lamp" }), h("span", { class: "chip-t" }));
}

/**
 * @param {HTMLElement} element
 * @param {string} lamp
 * @param {string} text
 */
function say(element, lamp, text) {
  element.querySelector(".lamp")?.setAttribute("class", `lamp ${lamp}`);
  const words = element.querySelector(".chip-t");
  if (words) words.textContent = text;
}

/**
 * @param {HTMLElement} root
 * @param {string} name
 * @param {string} text
 */
function put(root, name, text) {
  const place = root.querySelector(`[data-figure="${name}"]`);
  if (place) place.textContent = text;
}

customElements.define("sdv2-top", Top);
