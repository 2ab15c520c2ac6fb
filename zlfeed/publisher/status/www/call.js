// The picture by WebRTC: an offer, its answer, and a watch over what comes. When nothing comes it calls again.
//
// A browser itself gives a server that died up after 15 s and more; here bytes that cease are enough.

const GATHER_MS = 500, LOOK_MS = 200, START_S = 3, QUIET_S = 1, UNDECODED_S = 3;
const FIRST_S = 0.2, SLOWEST_S = 2;

/**
 * `ask(sdp)` resolves to the answer {sdp, text, session}; `on` hears `playing(session)` and `ceased(reason)`.
 */
export class Call {
  /** Seconds without a byte that are a fault; more for a camera with less than a picture in them. */
  quietS = QUIET_S;
  #video;
  #ask;
  #on;
  #peer = null;
  #wanted = false;
  #attempts = 0;
  #again = 0;

  constructor(video, ask, on) {
    this.#video = video;
    this.#ask = ask;
    this.#on = on;
  }

  /** Calls, and goes on calling, until `stop`; at once when it is asked for anew. */
  start() {
    this.stop();
    this.#wanted = true;
    this.#attempts = 0;
    this.#try();
  }

  /** Hangs up. The last picture stays. */
  stop() {
    this.#wanted = false;
    clearTimeout(this.#again);
    this.#hangUp();
  }

  #hangUp() {
    this.#peer?.close();
    this.#peer = null;
  }

  async #try() {
    const peer = this.#peer = new RTCPeerConnection();
    const isMine = () => peer === this.#peer;
    const fail = (reason) => {
      if (!isMine()) return;
      this.#hangUp();
      this.#on.ceased(reason);
      const wait = this.#attempts ? Math.min(SLOWEST_S, FIRST_S * 2 ** this.#attempts) * (0.8 + 0.4 * Math.random()) : 0;
      this.#attempts++;
      if (this.#wanted) this.#again = setTimeout(() => this.#try(), wait * 1000);
    };
    try {
      const {receiver} = peer.addTransceiver("video", {direction: "recvonly"});
      receiver.jitterBufferTarget = 0; // Chromium; what is late is late
      peer.ontrack = ({track}) => { if (isMine()) this.#video.srcObject = new MediaStream([track]); };
      peer.onconnectionstatechange = () => peer.connectionState === "failed" && fail("the connection failed");
      await peer.setLocalDescription();
      await gathered(peer);
      if (!isMine()) return;
      const {sdp, text, session} = await this.#ask(peer.localDescription.sdp);
      if (!isMine()) return;
      if (!sdp) return fail(text || "no picture by WebRTC");
      await peer.setRemoteDescription({type: "answer", sdp});
      await this.#watch(peer, receiver, session, isMine, fail);
    } catch (error) {
      fail(error.message);
    }
  }

  /** Looks whether pictures come, until they do not. */
  async #watch(peer, receiver, session, isMine, fail) {
    let bytes = 0, decoded = 0, began = performance.now(), came = began, shown = began, plays = false;
    while (isMine()) {
      await new Promise((done) => setTimeout(done, LOOK_MS));
      if (!isMine()) return;
      const now = performance.now(), stats = await inbound(receiver);
      if (stats.bytes !== bytes) [bytes, came] = [stats.bytes, now];
      if (stats.decoded !== decoded) [decoded, shown] = [stats.decoded, now];
      if (!plays && decoded > 0) {
        plays = true;
        this.#attempts = 0;
        this.#on.playing(session);
      }
      const seconds = (since) => (now - since) / 1000;
      if (!plays && seconds(began) > START_S + this.quietS) return fail(bytes ? "no keyframe came" : "no picture came by UDP");
      if (plays && seconds(came) > this.quietS) return fail(`nothing came for ${seconds(came).toFixed(1)} s`);
      if (plays && seconds(shown) > this.quietS + UNDECODED_S) return fail("what comes cannot be decoded");
    }
  }
}

/** Resolves when all candidates are in the description, or after a moment: a server on the same net needs no more. */
function gathered(peer) {
  return new Promise((done) => {
    if (peer.iceGatheringState === "complete") return done();
    peer.onicegatheringstatechange = () => peer.iceGatheringState === "complete" && done();
    setTimeout(done, GATHER_MS);
  });
}

async function inbound(receiver) {
  for (const report of (await receiver.getStats()).values()) {
    if (report.type === "inbound-rtp") return {bytes: report.bytesReceived ?? 0, decoded: report.framesDecoded ?? 0};
  }
  return {bytes: 0, decoded: 0};
}
