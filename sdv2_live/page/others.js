/** Values of other controllers that were clamped: said at their controls here too, with where they came from. */

import { live } from "./show.js";
import { Control } from "./widgets/control.js";

const CLAMPED = /^(\S+):\d+ \/\S+: (\S+) (\S+) was clamped to (\S+)/; // sender, address, name, value, limit

/** Follow the show's warnings; those from before this page was opened are not said. */
export function serveOthers() {
  /** @type {Map<string, number> | null} how often each was said */
  let before = null;
  live.watch("log", ({ items }) => {
    const now = new Map(items.map((item) => [item.text, item.count]));
    for (const [text, count] of before ? now : []) {
      if (count > (before?.get(text) ?? 0)) tell(text);
    }
    before = now;
  });
}

/** @param {string} text */
function tell(text) {
  const [, host, name, value, limit] = CLAMPED.exec(text) ?? [];
  for (const control of document.querySelectorAll(`[data-name="${CSS.escape(name ?? "")}"]`)) {
    if (!(control instanceof Control) || control.classList.contains("clamped") || !control.checkVisibility()) continue;
    control.say(`${value} is ${Number(value) > Number(limit) ? "above" : "below"} ${limit}`, `set to ${limit}, from ${host}`);
  }
}
