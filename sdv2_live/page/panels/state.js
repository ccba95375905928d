/** The state of the show: what needs a look and what to do about it, two minutes of figures, all status values, takes. */

import { fill, h, icon, iconButton } from "../dom.js";
import { link, live } from "../show.js";
import { Drawer } from "./drawer.js";
import { spark } from "./spark.js";

/** @typedef {import("../net/lists.js").LogItem} LogItem */
/** @typedef {import("../net/lists.js").Mistake} Mistake */
/** @typedef {import("../net/lists.js").TakeList} TakeList */
/** @typedef {import("./spark.js").Name} Name */

/** @type {[Name, string][]} */
const BIG = [
  ["fps_in", "Frames in"],
  ["fps", "Painted"],
  ["fps_out", "Frames out"],
  ["latency_ms", "Latency, ms"],
];
/** @type {Record<string, string>} */
const NAMES = { latency_p95_ms: "p95, ms", gpu_mb: "GPU memory, MB", ranks: "Cards", hop_ms: "Card to card, ms", shed: "Shed", engine_pid: "Engine PID" };
const ELSEWHERE = new Set(["fps_in", "fps", "fps_out", "latency_ms", "timeline", "timeline_playing", "timeline_recording", "watched", "tally_program", "tally_preview", "input_shown"]);
const MB = 1e6;
const SEEN = "sdv2-seen"; // when the drawer was opened last

/** How many troubles have come since the drawer was opened last. */
export function unseen() {
  const since = Number(sessionStorage.getItem(SEEN) ?? 0);
  return live.lists.log?.items.filter((item) => !item.over && item.at > since).length ?? 0;
}

export class StateDrawer extends Drawer {
  heading = "State";

  errors = h("div", { class: "errs" });
  over = h("div", { class: "errs" });
  overTitle = h("h3", {}, "Over");
  calm = h("p", { class: "dim none" }, "Nothing. All is well.");
  facts = h("div", { class: "facts" });
  words = h("dl", { class: "words" });
  takes = h("div", { class: "takes" });

  setup() {
    super.setup();
    const big = BIG.map(([name, label]) => h("div", {}, h("small", {}, label), h("b", { class: "num", "data-big": name }, "–"), spark(name)));
    this.append(h("h3", { class: "first" }, "Needs a look"), this.calm, this.errors);
    this.append(h("h3", {}, "Last two minutes"), h("div", { class: "big" }, ...big), this.facts, this.words);
    this.append(h("h3", {}, "Takes"), this.takes, this.overTitle, this.over);
    for (const kind of /** @type {const} */ (["log", "presets", "timeline"])) this.follow(live.watch(kind, () => this.#log()));
    this.follow(live.watch("takes", (list) => this.#takes(list)));
    for (const name of ["takes/render", "takes/cancel"]) {
      this.follow(link.onAnswer(`/sdv2/${name}`, ({ text }) => this.#problem(text.replace(/^\S+:\d+: /, ""))));
    }
    this.#log();
  }

  get rows() {
    return [...link.rows.values()].filter((row) => row.readable && !row.hinted && /^(status|info)\//.test(row.name));
  }

  build() {
    const facts = [];
    const words = [];
    for (const row of this.rows) {
      const [kind, name = ""] = row.name.split("/");
      const value = h("b", { class: "num" });
      const label = NAMES[name] ?? row.label;
      if (kind === "info") words.push(h("dt", {}, label), h("dd", {}, value));
      else if (!ELSEWHERE.has(name)) facts.push(h("div", { title: row.doc }, label, value));
      this.follow(link.watch(row.address, (now) => void (value.textContent = shown(now))));
    }
    for (const [name] of BIG) {
      const place = this.querySelector(`[data-big="${name}"]`);
      const digits = name === "latency_ms" ? 0 : 1;
      this.follow(link.watch(`/sdv2/status/${name}`, (now) => void (place && (place.textContent = Number(now).toFixed(digits)))));
    }
    fill(this.facts, ...facts);
    fill(this.words, ...words);
  }

  /** @param {Element | null} opener */
  open(opener) {
    super.open(opener);
    sessionStorage.setItem(SEEN, String(Date.now() / 1000));
    document.dispatchEvent(new Event("seen"));
  }

  #log() {
    const items = live.lists.log?.items ?? [];
    const presets = live.lists.presets;
    const mistakes = [...(presets?.items.map((item) => item.mistake) ?? []), ...(presets?.mistakes ?? []), live.lists.timeline?.mistake ?? null];
    const wrong = mistakes.filter((mistake) => mistake !== null).map(broken);
    const named = mistakes.filter((mistake) => mistake !== null).map((mistake) => `${mistake.file}:`);
    const now = items.filter((item) => !item.over && !named.some((file) => item.text.includes(file)));
    const over = items.filter((item) => item.over);
    this.calm.hidden = wrong.length + now.length > 0;
    fill(this.errors, ...wrong, ...now.map(entry));
    fill(this.over, ...over.map(entry));
    this.overTitle.hidden = over.length === 0;
  }

  /** @param {TakeList} list */
  #takes(list) {
    const { rendering } = list;
    const lines = list.items.map((take) => {
      const painted = rendering?.name === take.name;
      const size = `${(take.bytes / MB).toFixed(take.bytes < 10 * MB ? 1 : 0)} MB`;
      const act = painted
        ? iconButton("x", `Stop painting ${take.name}`, () => link.send("takes/cancel"))
        : h("button", { type: "button", class: "btn q", disabled: Boolean(rendering) || Boolean(take.video), onclick: () => link.send("takes/render", take.name) }, take.video ? "In a file" : "Into a file");
      const done = painted ? h("b", { class: "num" }, `${Math.round(rendering.done * 100)} %`) : null;
      const length = `${Math.floor(take.seconds / 60)}:${String(Math.floor(take.seconds % 60)).padStart(2, "0")}`;
      return h("div", { class: "take-row" }, h("span", { class: "nm" }, take.name), h("span", { class: "num" }, length), h("span", { class: "num dim" }, size), done ?? "", act);
    });
    const none = h("p", { class: "dim none" }, "None yet. Rec, at the top, records one.");
    fill(this.takes, ...(lines.length ? lines : [none]));
    if (list.problem) this.#problem(list.problem);
  }

  /** @param {string} text */
  #problem(text) {
    this.takes.querySelector(".warn-t")?.remove();
    this.takes.append(h("p", { class: "warn-t", role: "status" }, text));
  }
}

/** @param {import("../net/osc.js").Arg} value */
function shown(value) {
  if (typeof value !== "number") return String(value ?? "");
  return Number.isInteger(value) ? value.toLocaleString("en").replaceAll(",", " ") : value.toFixed(Math.abs(value) < 1 ? 3 : 1);
}

/** @param {LogItem} item */
function entry(item) {
  const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
  const times = item.count > 1 ? ` (${item.count} times)` : "";
  const text = h("p", {}, h(item.over ? "span" : "b", {}, item.text + times));
  const look = item.over ? "err past" : item.level === "error" ? "err bad" : "err";
  return h("div", { class: look }, icon(item.over ? "pulse" : "warn"), h("small", { class: "num" }, clock.format(item.at * 1000)), text, h("p", { class: "fix" }, item.remedy));
}

/** @param {Mistake} mistake */
function broken(mistake) {
  const where = `${mistake.file}${mistake.line == null ? "" : `, line ${mistake.line}`}${mistake.key ? `, ${mistake.key}` : ""}`;
  return h("div", { class: "err" }, icon("warn"), h("small", {}, "file"), h("p", {}, h("b", {}, where)), h("p", { class: "fix" }, mistake.text));
}

customElements.define("sdv2-state", StateDrawer);
