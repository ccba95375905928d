/** The performer's keys. They do nothing while a text is typed. */

import { isField } from "./dom.js";
import { take } from "./panels/cue.js";
import { recall } from "./panels/presets.js";
import { cancel, go, nextGrid, tap } from "./panels/tempo.js";

/** @typedef {import("./panels/safety.js").Safety} Safety */

const HOLD_MS = 500;

/** @param {Safety} safety */
export function serveKeys(safety) {
  let holding = 0;
  const letGo = () => {
    clearTimeout(holding);
    holding = 0;
    safety.holding(false);
  };
  const escape = () => {
    if (safety.isOn("blackout")) safety.press("blackout");
    else {
      safety.holding(true);
      holding = setTimeout(() => {
        letGo();
        safety.black();
      }, HOLD_MS);
    }
  };
  addEventListener("keydown", (event) => {
    if (event.defaultPrevented || isField(event.target) || event.repeat || event.ctrlKey || event.metaKey || event.altKey) return;
    const key = event.key.toLowerCase();
    if (key === "f") safety.press("freeze");
    else if (key === "b") safety.press("bypass");
    else if (key === "r") safety.press("reset");
    else if (key === "t") tap();
    else if (key === "q") nextGrid();
    else if (key === "enter" && !onKeyboard(event.target)) go();
    else if (key === "backspace") cancel();
    else if (key === "escape") escape();
    else if (key === " " && !onKeyboard(event.target)) take();
    else if (key >= "1" && key <= "9") recall(Number(key));
    else return;
    event.preventDefault();
  });
  addEventListener("keyup", (event) => {
    if (event.key === "Escape") letGo();
    if (event.key === " " && !isField(event.target) && !onKeyboard(event.target)) event.preventDefault(); // no click on a button
  });
  addEventListener("blur", letGo);
}

/**
 * True where the focus was moved by keyboard to what space presses.
 *
 * @param {EventTarget | null} target
 */
function onKeyboard(target) {
  return target instanceof Element && target.matches("button:focus-visible, select, [role=menuitem]");
}
