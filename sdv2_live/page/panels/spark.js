/** Two minutes of the show's figures, one value a second, as sparklines. */

import { drawn, polyline } from "../dom.js";
import { link, live } from "../show.js";

export const SERIES = /** @type {const} */ (["fps_in", "fps", "fps_out", "latency_ms"]);
/** The names of the list are those of the metrics. */
const LISTED = { fps_in: "fps_in", fps: "fps_painted", fps_out: "fps_out", latency_ms: "latency_ms" };
const SECONDS = 120;

/** @typedef {(typeof SERIES)[number]} Name */

/** @type {Record<Name, number[]>} */
const kept = { fps_in: [], fps: [], fps_out: [], latency_ms: [] };
/** @type {{ name: Name, svg: SVGSVGElement }[]} */
const lines = [];

/** Begin with what the show remembers, then add a value a second. */
export function keepSeries() {
  live.watch("history", ({ series }) => {
    for (const name of SERIES) kept[name] = [...(series[LISTED[name]] ?? kept[name])].slice(-SECONDS);
    draw();
  });
  setInterval(() => {
    if (link.line.state !== "open") return;
    for (const name of SERIES) kept[name] = [...kept[name], Number(link.value(`status/${name}`) ?? 0)].slice(-SECONDS);
    draw();
  }, 1000);
}

/**
 * A sparkline that is drawn anew each second.
 *
 * @param {Name} name
 */
export function spark(name) {
  const svg = polyline([]);
  lines.push({ name, svg });
  return svg;
}

function draw() {
  for (const { name, svg } of lines) {
    if (svg.clientWidth) svg.querySelector("path")?.setAttribute("d", path(kept[name]));
  }
}

/** @param {number[]} values */
function path(values) {
  const top = Math.max(...values, 1) * 1.15;
  return drawn(values.map((value, second) => [((second + SECONDS - values.length) / (SECONDS - 1)) * 100, 100 - (value / top) * 100]));
}
