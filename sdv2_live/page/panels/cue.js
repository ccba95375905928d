/** The cue and TAKE: the next prompt is written here, prepared out of sight, and taken when the hand says so. */

import { fill, h } from "../dom.js";
import { link, live } from "../show.js";
import { Panel } from "./panel.js";

const QUIET_MS = 1000;
const SAID_MS = 4000;
const TYPING_MS = 400; // of rest, after which what is typed is sent, so that it is encoded before it is taken

/** Make the cue the prompt, with all that is typed in it. */
export function take() {
  document.querySelector("sdv2-cue")?.dispatchEvent(new Event("flush"));
  link.send("take");
}

/** Every TAKE key of the page: they are disabled while there is nothing to take. */
export class TakeKey extends HTMLElement {
  key = h("button", { type: "button", class: "take", onclick: take }, h("b", {}, "TAKE"), h("kbd", {}, "space"));

  connectedCallback() {
    this.append(this.key);
    document.addEventListener("cue", () => this.#enable());
    live.watch("pending", ({ items }) => this.key.classList.toggle("waiting", items.some(({ name }) => name === "take")));
    this.#enable();
  }

  #enable() {
    const field = document.querySelector("sdv2-cue textarea");
    this.key.disabled = !(field instanceof HTMLTextAreaElement && field.value.trim());
  }
}

export class Cue extends Panel {
  #typing = 0;
  #unsent = false; // it holds what the show has not been sent
  #quiet = 0; // after sending, while an older text may still come back
  #saying = 0;

  field = h("textarea", { id: "cue", spellcheck: "false", placeholder: "Write the next prompt" });
  lamp = h("i", { class: "lamp" });
  state = h("span");
  words = h("span", { class: "dim num" });
  expand = h("button", { type: "button", class: "expand", hidden: true, onclick: () => this.#expand() }, "Expand");
  bar = h("i", { class: "working", hidden: true });

  setup() {
    const below = h("div", { class: "enc", role: "status" }, this.lamp, this.state, this.words, h("span", { class: "sp" }), this.expand);
    this.append(h("label", { class: "tag", for: "cue" }, "Cue"), this.field, this.bar, below);
    this.field.addEventListener("input", () => this.#typed());
    this.field.addEventListener("change", () => this.#flush());
    this.field.addEventListener("keydown", (event) => {
      event.stopPropagation();
      if (event.key === "Escape") this.field.blur();
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) take();
    });
    this.addEventListener("flush", () => this.#flush());
    this.follow(link.watch("/sdv2/cue_prompt", (value) => this.#follow(String(value))));
    this.follow(live.watch("prompts", () => this.#tell()));
    this.follow(link.onState(() => this.#unsent && this.#flush()));
    for (const name of ["cue_prompt", "take", "prompt/expand"]) {
      this.follow(link.onAnswer(`/sdv2/${name}`, ({ text }) => this.#say(text.replace(/^\S+:\d+: /, ""))));
    }
  }

  /**
   * Write a text into the cue.
   *
   * @param {string} text
   */
  write(text) {
    this.field.value = text;
    this.#unsent = true;
    this.#flush();
    this.field.focus();
    this.#tell();
  }

  /** @param {string} value */
  #follow(value) {
    if (this.#unsent || this.#quiet) return;
    if (this.field.value !== value) this.field.value = value;
    this.#tell();
  }

  #typed() {
    this.#unsent = true;
    clearTimeout(this.#typing);
    this.#typing = setTimeout(() => this.#flush(), TYPING_MS);
    this.#tell();
  }

  #flush() {
    clearTimeout(this.#typing);
    this.#typing = 0;
    if (link.line.state !== "open") return;
    this.#unsent = false;
    if (this.field.value === String(link.value("cue_prompt") ?? "")) return;
    link.send("cue_prompt", this.field.value);
    clearTimeout(this.#quiet);
    this.#quiet = setTimeout(() => {
      this.#quiet = 0;
      this.#follow(String(link.value("cue_prompt") ?? ""));
    }, QUIET_MS);
  }

  #expand() {
    this.#flush();
    link.send("prompt/expand", this.field.value);
  }

  #tell() {
    const text = this.field.value;
    const prompts = live.lists.prompts;
    const encoding = Boolean(text) && (this.#typing > 0 || Boolean(prompts?.encoding.includes(text)));
    const words = text.trim() ? text.trim().split(/\s+/).length : 0;
    this.lamp.classList.toggle("ok", Boolean(text) && !encoding);
    const state = !text ? "empty" : prompts?.expanding ? "expanding" : encoding ? "encoding" : "encoded";
    if (!this.#saying) fill(this.state, prompts?.problem || state);
    this.words.textContent = words ? `${words} word${words > 1 ? "s" : ""}` : "";
    this.bar.hidden = !encoding && !prompts?.expanding;
    this.expand.hidden = !prompts?.expansion || !text;
    document.dispatchEvent(new Event("cue"));
  }

  /** @param {string} text */
  #say(text) {
    this.classList.add("clamped");
    this.state.textContent = text;
    clearTimeout(this.#saying);
    this.#saying = setTimeout(() => {
      this.#saying = 0;
      this.classList.remove("clamped");
      this.#tell();
    }, SAID_MS);
  }
}

customElements.define("sdv2-cue", Cue);
customElements.define("sdv2-take", TakeKey);
