/** The page's own beat clock: between two messages of the show it goes on by itself, so that lamps do not wait for the network. */

import { link } from "../show.js";

const USUAL_BPM = 120;

/** @type {{ beat: number, at: number } | null} a beat of the bar, from 0, and when the show told of it */
let told = null;
let bar = 0; // from 0, of that beat

/** Follow the show's beat. */
export function followBeat() {
  link.watch("/sdv2/tempo/beat", (beat) => {
    const next = Number(beat) - 1;
    if (told && next === 0 && next !== told.beat) bar += 1; // the status tells of the bar a moment later
    told = { beat: next, at: performance.now() };
  });
  link.watch("/sdv2/status/bar", (value) => (bar = Math.max(0, Number(value) - 1)));
}

/** Beats a minute. */
export function bpm() {
  return Number(link.value("tempo/bpm") ?? USUAL_BPM);
}

/** Beats a bar. */
export function beatsPerBar() {
  return Number(link.value("tempo/beats_per_bar") ?? 4);
}

/**
 * The bar and the place in it in beats, both from 0; null before the show has told of a beat.
 *
 * @returns {{ bar: number, beat: number } | null}
 */
export function beatNow() {
  if (!told) return null;
  const at = told.beat + ((performance.now() - told.at) / 60000) * bpm();
  return { bar: bar + Math.floor(at / beatsPerBar()), beat: at % beatsPerBar() };
}
