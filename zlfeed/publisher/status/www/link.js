// The status connection: says Hello, asks for the clock, hands messages on; comes again by itself when it is lost.

import {Clock} from "./clock.js";
import {decode, encode} from "./wire.js";

const FIRST_S = 0.3, SLOWEST_S = 5, SILENT_S = 5, ANSWER_S = 5;
// After wrong tokens the next one waits until it is looked at.
const WELCOME_S = 30;
const PING_S = 1, BURST = 8, BURST_S = 0.05;

/** This page's clock in microseconds since 1970, which only advances. */
export const nowUs = () => Math.round((performance.timeOrigin + performance.now()) * 1000);

/** By how much that clock advances at a time: against spies browsers make it coarse, some to a millisecond and more. */
function grainUs() {
  const next = (at, now = at) => {
    while (now === at) now = performance.now();
    return now;
  };
  const first = next(performance.now());
  return (next(first) - first) * 1000;
}

/**
 * `protocol` is what the publisher says of it: {version, close: {NAME: code}, messages}.
 * `on` hears what comes: `message(name, body)` for each message, `open()` after the Welcome,
 * `closed(reason, inSeconds)`, and `token(reason)` when one is needed, or another.
 */
export class Link {
  clock = new Clock(grainUs());
  #protocol;
  #on;
  #socket = null;
  #token = "";
  #delay = FIRST_S;
  #id = 0;
  #answers = new Map();
  #heard = 0;
  #isIn = false;

  constructor(protocol, on) {
    this.#protocol = protocol;
    this.#on = on;
    setInterval(() => this.#look(), PING_S * 1000);
  }

  /** Connects, with a token where there is one. */
  open(token) {
    this.#token = token;
    const url = new URL("/", location.href);
    url.protocol = url.protocol.replace("http", "ws");
    const socket = this.#socket = new WebSocket(url);
    socket.binaryType = "arraybuffer";
    this.#heard = performance.now();
    this.#isIn = false;
    socket.onopen = () => this.send("hello", {token: this.#token, kind: "page", name: navigator.platform ?? ""});
    socket.onmessage = ({data}) => socket === this.#socket && this.#take(new Uint8Array(data));
    socket.onclose = ({code, reason}) => socket === this.#socket && this.#closed(code, reason);
  }

  get isOpen() {
    return this.#socket?.readyState === WebSocket.OPEN;
  }

  /** Sends a message, `name` being its field in the Envelope; false when there is nobody to hear it. */
  send(name, body) {
    if (!this.isOpen) return false;
    const {version, messages} = this.#protocol;
    this.#socket.send(encode(messages, "Envelope", {version, [name]: body}));
    return true;
  }

  /** Sends a message with an id, and resolves to what answers it; rejects with a sentence. */
  ask(name, body) {
    const id = ++this.#id;
    return new Promise((resolve, reject) => {
      if (!this.send(name, {...body, id})) return reject(new Error("the publisher is not there"));
      const late = setTimeout(() => this.#answers.delete(id) && reject(new Error("the publisher does not answer")), ANSWER_S * 1000);
      this.#answers.set(id, (answer) => {
        clearTimeout(late);
        resolve(answer);
      });
    });
  }

  #take(bytes) {
    const heardUs = nowUs();
    this.#heard = performance.now();
    const {version, ...bodies} = decode(this.#protocol.messages, "Envelope", bytes);
    const [name, body] = Object.entries(bodies).find(([, value]) => value !== undefined) ?? [];
    if (version !== this.#protocol.version || name === undefined) return;
    if (name === "pong") {
      this.clock.add(body.t0_us, body.t1_us, body.t2_us, heardUs);
    } else if (name === "webrtc_answer") {
      this.#answers.get(body.id)?.(body);
      this.#answers.delete(body.id);
    } else {
      this.#on.message(name, body);
      if (name === "welcome") this.#welcomed();
    }
  }

  #welcomed() {
    this.#delay = FIRST_S;
    this.#isIn = true;
    // The best of several tells the time more surely than one.
    for (let i = 0; i < BURST; i++) setTimeout(() => this.#ping(), i * BURST_S * 1000);
    this.#on.open();
  }

  #ping() {
    this.send("ping", {id: ++this.#id, t0_us: nowUs()});
  }

  /** Once a second: asks for the time, and gives up a connection on which nothing comes. */
  #look() {
    if (this.#socket === null || this.#socket.readyState === WebSocket.CLOSED) return;
    const longest = this.isOpen && !this.#isIn ? WELCOME_S : SILENT_S;
    if (performance.now() - this.#heard > longest * 1000) {
      const socket = this.#socket;
      this.#closed(0, `nothing heard for ${longest} s`);
      socket.close();
    } else if (this.isOpen) {
      this.#ping();
    }
  }

  #closed(code, reason) {
    this.#socket = null;
    this.#answers.clear();
    const {BAD_TOKEN, OTHER_VERSION, TRY_LATER} = this.#protocol.close;
    if (code === BAD_TOKEN) return this.#on.token(reason);
    if (code === OTHER_VERSION) return location.reload(); // the publisher was updated, and its page with it
    const wait = code === TRY_LATER ? SLOWEST_S : this.#delay * (0.8 + 0.4 * Math.random());
    this.#delay = Math.min(SLOWEST_S, this.#delay * 1.6);
    this.#on.closed(reason || "the publisher is not reached", wait);
    setTimeout(() => this.open(this.#token), wait * 1000);
  }
}
