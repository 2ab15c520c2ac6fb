// How far the publisher's clock is ahead of this page's: the exchange of RFC 5905 section 8. Pure.

const KEPT = 60, DRIFT = 50e-6;

/** Times in microseconds; those of this page by one clock that only advances. */
export class Clock {
  #exchanges = [];
  #grain;

  /** By how much this page's clock advances at a time: what it says may be wrong by that. */
  constructor(grain = 0) {
    this.#grain = grain;
  }

  /** Takes a Ping sent at t0 and answered at t3, which the publisher got at t1 and answered at t2. */
  add(t0, t1, t2, t3) {
    const one = {at: t3, offset: (t1 - t0 + t2 - t3) / 2, error: Math.max(0, t3 - t0 - (t2 - t1)) / 2 + this.#grain};
    const best = this.at(t3);
    // One of the two clocks was set, or this machine slept: what was known is about another time.
    if (best && Math.abs(best.offset - one.offset) > best.error + one.error) this.#exchanges = [];
    this.#exchanges = [...this.#exchanges, one].slice(-KEPT);
  }

  /** {offset, error} now; null before anything is known. */
  at(now) {
    return this.#exchanges
      .map(({at, offset, error}) => ({offset, error: error + Math.max(0, now - at) * DRIFT}))
      .reduce((best, one) => (best && best.error <= one.error ? best : one), null);
  }
}
