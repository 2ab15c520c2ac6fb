// What the pictures of a second say: how many, how late, how many were missed. Pure.

import {FRAME_MODULUS, unwrap} from "./strip.js";

const MAX_FPS = 240, SHORTEST_S = 0.5;

/** Collects what was shown; `second` gives its figures and begins anew. Times in milliseconds. */
export class Figures {
  /** Of those captured; null while no picture has said its number. */
  missed = null;
  #began = 0;
  #frames = 0;
  #latencies = [];
  #freeze = 0;
  #last = null;
  #lastCode = null;

  /** A picture, shown at `nowMs`; with its timecode {timeUs, frame} and its age where they are known. */
  add(nowMs, code = null, latencyMs = null) {
    this.#frames++;
    if (latencyMs !== null) this.#latencies.push(latencyMs);
    if (this.#last !== null) this.#freeze = Math.max(this.#freeze, nowMs - this.#last);
    this.#last = nowMs;
    if (code === null) return;
    this.missed ??= 0;
    if (this.#lastCode !== null) this.missed += missedBetween(this.#lastCode, code);
    this.#lastCode = code;
  }

  /** Begins at `nowMs` with nothing: what is missing until the next picture is no fault of the feed. */
  begin(nowMs) {
    this.#count(nowMs);
    this.#last = this.#lastCode = null;
  }

  #count(fromMs) {
    this.#began = fromMs;
    this.#frames = this.#freeze = 0;
    this.#latencies = [];
  }

  /**
   * Figures since the last ones or the beginning: {fps, p50, p95, freezeMs}, null what nobody measured. Null in their
   * place where that was a moment ago: of so little no rate can be told.
   */
  second(nowMs) {
    const seconds = (nowMs - this.#began) / 1000;
    if (seconds < SHORTEST_S) return null;
    const sorted = this.#latencies.sort((a, b) => a - b);
    const at = (share) => (sorted.length ? sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] : null);
    const found = {fps: this.#frames / seconds, p50: at(0.5), p95: at(0.95), freezeMs: this.#frames ? this.#freeze : null};
    this.#count(nowMs);
    return found;
  }
}

/** How many were captured between two that came one after the other; a leap beyond all rates is a new count. */
export function missedBetween(last, code) {
  const step = (code.frame - last.frame + FRAME_MODULUS) % FRAME_MODULUS;
  const seconds = (unwrap(code.timeUs, last.timeUs) - last.timeUs) / 1e6;
  return step === 0 || step > FRAME_MODULUS / 2 || step > Math.max(1, seconds) * MAX_FPS ? 0 : step - 1;
}

/**
 * A second's latency in words, and more of it. Over a slow path the clocks may be compared so badly that there is but a
 * bound: nothing is less than 0 ms old.
 */
export function latencyWords({p50, p95}, error) {
  if (p50 < error) return [`under ${Math.ceil(p50 + error)} ms`, ""];
  return [`${p50.toFixed(0)} ms`, `± ${error < 1 ? error.toFixed(1) : error.toFixed(0)}, p95 ${p95.toFixed(0)} ms`];
}
