/** The control page: connects to the show and puts the parts together. */

import { $, fill, h, icon, isField } from "./dom.js";
import { serveKeys } from "./keys.js";
import { serveLock } from "./lock.js";
import { serveOthers } from "./others.js";
import "./panels/all.js";
import "./panels/cue.js";
import { serveDrawers } from "./panels/drawer.js";
import "./panels/look.js";
import "./panels/mods.js";
import "./panels/picture.js";
import "./panels/presets.js";
import "./panels/prompts.js";
import "./panels/safety.js";
import { keepSeries } from "./panels/spark.js";
import "./panels/state.js";
import "./panels/tempo.js";
import "./panels/timeline.js";
import "./panels/top.js";
import "./panels/xy.js";
import { followBeat } from "./net/beat.js";
import { link, live } from "./show.js";

/** @typedef {import("./panels/safety.js").Safety} Safety */
/** @typedef {{ move: () => void } & Element} Moving */

const asked = new URLSearchParams(location.search);

/** The token is in a cookie by now: it does not stay in the address, which is seen and shared. */
function hideToken() {
  if (!asked.has("token")) return;
  const address = new URL(location.href);
  address.searchParams.delete("token");
  history.replaceState(null, "", address);
}

/** Grey everything at once when the connection is lost, and say since when; heal when it is back. */
function serveState() {
  const lost = $(".lost");
  const tell = () => {
    const { state, since, why } = link.line;
    document.body.dataset.state = state;
    if (state === "open") live.start();
    else live.stop();
    lost.hidden = state !== "lost";
    for (const part of document.querySelectorAll(".inert-when-lost")) part.toggleAttribute("inert", state === "lost");
    const seconds = Math.max(0, Math.round((Date.now() - since) / 1000));
    const then = why || "The show goes on. Trying again; what you typed is kept.";
    if (state === "lost") fill(lost, icon("warn"), h("b", {}, "Connection lost ", h("i", { class: "num" }, `${seconds} s`)), h("span", {}, then));
  };
  link.onState(tell);
  setInterval(() => link.line.state === "lost" && tell(), 1000);
  tell();
}

function serveTabs() {
  const tabs = $(".tabs");
  const show = (/** @type {string} */ tab) => {
    document.body.dataset.tab = tab;
    for (const one of tabs.querySelectorAll("button")) {
      const is = one.dataset.to === tab;
      one.setAttribute("aria-selected", String(is));
      one.tabIndex = is ? 0 : -1;
    }
  };
  tabs.addEventListener("click", (event) => {
    const to = /** @type {HTMLElement} */ (event.target).dataset.to;
    if (to) show(to);
  });
  tabs.addEventListener("keydown", (event) => {
    const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    const all = /** @type {HTMLElement[]} */ ([...tabs.querySelectorAll("button")].filter((one) => one.offsetWidth));
    const at = all.indexOf(/** @type {HTMLElement} */ (event.target));
    if (!by || at < 0) return;
    const next = all[(at + by + all.length) % all.length];
    next?.focus();
    next?.click();
  });
  show(asked.get("tab") ?? "presets");
}

/** One animation frame for all that moves. */
function serveMotion() {
  const moving = /** @type {NodeListOf<Moving>} */ (document.querySelectorAll("sdv2-timeline, sdv2-tempo, sdv2-mods, sdv2-presets"));
  const frame = () => {
    for (const part of moving) part.move();
    requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
}

document.documentElement.classList.toggle("dock", asked.has("dock"));
document.documentElement.classList.toggle("still", asked.has("still"));
hideToken();
serveState();
serveTabs();
serveDrawers();
serveLock();
serveKeys(/** @type {Safety} */ (document.querySelector("sdv2-safety")));
keepSeries();
followBeat();
serveOthers();
serveMotion();
document.addEventListener("contextmenu", (event) => !isField(event.target) && event.preventDefault());
link.start();
