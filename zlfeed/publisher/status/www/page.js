// The page: which camera is shown, how, and what is said of it.

import {Call} from "./call.js";
import {Figures, latencyWords} from "./figures.js";
import {Link, nowUs} from "./link.js";
import {MIN_WIDTH, read, rows, share, unwrap} from "./strip.js";

const STILLS = {hz: 5, width: 640}, STILLS_AFTER_MS = 700;
const HAS_WEBRTC = "RTCPeerConnection" in window;
const $ = (id) => document.getElementById(id);
const video = $("video"), still = $("still");
const canvas = document.createElement("canvas"), context = canvas.getContext("2d", {willReadFrequently: true});

const token = keeping("zlfeed-token");
const cameras = new Map(); // by name, {urls, status}
let camera = location.pathname.slice(1); // the one that is shown; no name has a sign that an address writes otherwise
let session = null; // of our WebRTC picture, while it plays
let served = false; // whether the publisher has WebRTC for it just now
let ceased = ""; // why our last picture by WebRTC ended, or did not come
let lost = ""; // why there is no contact with the publisher
let stillsTimer = 0, lastStill = null;
let wantsStills = false; // though a hidden page gets none
const figures = new Figures();

const protocol = await (await fetch("/-/protocol.json")).json();
const link = new Link(protocol, {
  message: take,
  open() {
    lost = "";
    show();
    play();
  },
  closed(reason, seconds) {
    lost = `No contact with the publisher: ${reason}. Trying again in ${seconds.toFixed(1)} s.`;
    leave();
  },
  token(reason) {
    lost = "";
    leave();
    $("refused").textContent = token.value ? `The one that was given does not fit: ${reason}.` : "";
    $("picture").hidden = true;
    $("door").hidden = false;
    $("token").focus();
  },
});
const call = new Call(video, (sdp) => link.ask("webrtc_offer", {camera, sdp}), {
  playing(id) {
    session = id;
    ceased = "";
    figures.begin(performance.now());
    stills(false);
    show();
  },
  ceased(reason) {
    session = null;
    ceased = reason;
    stills(true);
    show();
  },
});
link.open(token.value);

// ---------------------------------------------------------------- what the publisher says

function take(name, body) {
  if (name === "welcome") {
    cameras.clear();
    for (const info of body.cameras) cameras.set(info.camera, {urls: info.urls});
    if (!camera) camera = body.cameras[0]?.camera ?? "";
    $("name").textContent = body.publisher;
    tabs();
  } else if (name === "camera_info") {
    cameras.set(body.camera, {...cameras.get(body.camera), urls: body.urls});
    if (body.camera === camera && served !== isServed()) play();
  } else if (name === "camera_status") {
    cameras.set(body.camera, {urls: {}, ...cameras.get(body.camera), status: body});
    if (body.camera === camera) call.quietS = Math.max(1, 3 / (body.fps_asked || 30));
    show();
  } else if (name === "thumbnail" && body.camera === camera && session === null) {
    paintStill(body);
  }
}

/** Begins to show the camera: by WebRTC where the publisher has it just now, by small pictures meanwhile and else. */
function play() {
  served = isServed();
  session = null;
  subscribe(false);
  if (served) {
    call.start();
    // It plays within a moment; who must wait longer sees something meanwhile.
    clearTimeout(stillsTimer);
    stillsTimer = setTimeout(() => session === null && subscribe(true), STILLS_AFTER_MS);
  } else {
    call.stop();
    ceased = "";
    stills(true);
  }
  show();
}

function isServed() {
  return "webrtc" in (cameras.get(camera)?.urls ?? {}) && HAS_WEBRTC;
}

/** There is nobody to show anything. */
function leave() {
  call.stop();
  clearTimeout(stillsTimer);
  session = null;
  show();
}

// ---------------------------------------------------------------- small pictures

function stills(on) {
  clearTimeout(stillsTimer);
  subscribe(on);
  if (!on) still.hidden = true;
}

function subscribe(on) {
  wantsStills = on;
  const thumbnails = on && isVisible(); // they are work for the publisher
  link.send("subscribe", {
    cameras: [camera], status: true, thumbnails, thumbnail_hz: STILLS.hz, thumbnail_width: STILLS.width,
  });
}

function paintStill(picture) {
  URL.revokeObjectURL(still.src);
  still.src = URL.createObjectURL(new Blob([picture.jpeg], {type: "image/jpeg"}));
  still.hidden = false;
  const clock = link.clock.at(nowUs());
  lastStill = {at: performance.now(), ageMs: clock && (nowUs() + clock.offset - picture.time_us) / 1000};
  const full = cameras.get(camera)?.status; // the picture from which this small one was made
  hideStrip(still, picture.width, picture.height, full?.width >= MIN_WIDTH ? share(full.height) : 0);
  show();
}

// ---------------------------------------------------------------- the picture's own time

function look(_now, {width, height}) {
  video.requestVideoFrameCallback(look);
  const shownUs = nowUs(), [first, last] = rows(height);
  let code = null, latencyMs = null;
  if (width > 0) {
    [canvas.width, canvas.height] = [width, last];
    context.drawImage(video, 0, 0);
    code = read(context.getImageData(0, first, width, last - first).data, width);
  }
  const clock = link.clock.at(shownUs);
  if (code && clock) {
    const captureUs = unwrap(code.timeUs, shownUs + clock.offset);
    latencyMs = (shownUs + clock.offset - captureUs) / 1000;
  }
  hideStrip(video, width, height, code ? share(height) : 0);
  if (isSeen()) figures.add(performance.now(), code, latencyMs);
}

/** People need not see the strip: it is cut off where there is one. */
function hideStrip(element, width, height, part) {
  const size = `${width}×${height} ${part}`;
  if (element.dataset.size === size) return;
  element.dataset.size = size;
  const box = element.getBoundingClientRect(), scale = Math.min(box.width / width, box.height / height);
  const above = (box.height - height * scale) / 2; // object-fit leaves this much black over the picture
  element.style.clipPath = part ? `inset(${above + part * height * scale + 1}px 0 0 0)` : "";
}

new ResizeObserver(() => [video, still].forEach((element) => delete element.dataset.size)).observe($("picture"));
video.requestVideoFrameCallback?.(look);

/** Whether there are pictures to count: a hidden page is shown none, and what comes between two calls is of neither. */
function isSeen() {
  return session !== null && isVisible();
}

function isVisible() {
  return document.visibilityState === "visible";
}

document.addEventListener("visibilitychange", () => {
  figures.begin(performance.now());
  subscribe(wantsStills);
});

// ---------------------------------------------------------------- what is said

setInterval(() => {
  const found = figures.second(performance.now());
  const clock = link.clock.at(nowUs());
  if (session !== null && found === null) return;
  if (isSeen() && found.freezeMs !== null) {
    link.send("viewer_report", {
      camera, session, fps: found.fps, latency_p50_ms: found.p50, latency_p95_ms: found.p95,
      latency_error_ms: found.p50 === null ? null : clock.error / 1000, missed: figures.missed ?? 0,
      longest_freeze_ms: found.freezeMs,
    });
  }
  sayFigures(found, clock);
}, 1000);

function sayFigures(found, clock) {
  const parts = [];
  const say = (text, kind = "", title = "") => parts.push(
    parts.length ? (kind === "more" ? " " : " · ") : "",
    Object.assign(document.createElement("span"), {textContent: text, className: kind, title}),
  );
  if (session !== null && !video.requestVideoFrameCallback) {
    say("figures –", "more", "this browser does not say when it shows a picture");
  } else if (session !== null) {
    say(`${found.fps.toFixed(1)} fps`);
    if (found.p50 === null) {
      say("latency –", "", "the picture carries no timecode, or the clocks are not compared yet");
    } else {
      const [latency, more] = latencyWords(found, clock.error / 1000);
      const title = "captured → shown here, by the timecode in the picture: median and 95th percentile of the last second";
      say(latency, "big", title);
      if (more) say(more, "more", title);
    }
    say(`${figures.missed ?? "–"} missed`, "", "pictures that were captured and not shown here");
  } else if (lastStill && !still.hidden && performance.now() - lastStill.at < 2000) {
    say(`small pictures, up to ${STILLS.hz} a second`);
    say(lastStill.ageMs === null ? "age –" : `${Math.max(0, lastStill.ageMs).toFixed(0)} ms old`);
  }
  $("figures").replaceChildren(...parts);
}

/** The one sentence that the situation asks for. */
function show() {
  const text = notice();
  if ($("notice").textContent !== text) $("notice").textContent = text; // or it is read out again
}

function notice() {
  if (lost) return lost;
  const shown = cameras.get(camera);
  if (!cameras.size) return "Connecting …";
  if (!shown) return `There is no camera ${camera} here.`;
  const status = shown.status, trouble = status?.error_message ?? "";
  if (session !== null) return "";
  if (!served) {
    const mediamtx = status?.parts.find((part) => part.name === "mediamtx");
    const why = !HAS_WEBRTC ? "this browser has no WebRTC, or it is switched off"
      : !mediamtx ? "this publisher runs without MediaMTX (zlfeed mediamtx install)"
      : mediamtx.state === "running" ? "MediaMTX serves no WebRTC here; its port was taken" : "MediaMTX is down just now";
    return `${trouble ? `${trouble}. ` : ""}Small pictures: ${why}.`;
  }
  return ceased ? `No picture by WebRTC: ${ceased}. Calling again.` : "Calling …";
}

/** Shows another camera, in the same page: full screen stays. */
function choose(name) {
  if (!cameras.has(name) || name === camera) return;
  camera = name;
  still.hidden = true;
  ceased = "";
  figures.missed = null;
  $("figures").replaceChildren();
  tabs();
  play();
}

function tabs() {
  document.title = `${camera} – ${$("name").textContent}`;
  const links = [...cameras.keys()].map((name) => {
    const tab = Object.assign(document.createElement("a"), {href: `/${encodeURIComponent(name)}`, textContent: name});
    if (name === camera) tab.setAttribute("aria-current", "page");
    tab.addEventListener("click", (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return; // it is wanted in a window of its own
      event.preventDefault();
      go(name);
    });
    return tab;
  });
  $("cameras").replaceChildren(...links);
}

/** A value that the browser keeps for this address; for this page only, where it may keep nothing. */
function keeping(name) {
  let value = "";
  try {
    value = localStorage.getItem(name) ?? "";
  } catch {} // site data is blocked
  return {
    get value() {
      return value;
    },
    set value(text) {
      value = text;
      try {
        localStorage.setItem(name, text);
      } catch {}
    },
  };
}

// ---------------------------------------------------------------- what is pressed

function go(name) {
  history.pushState(null, "", `/${encodeURIComponent(name)}`);
  choose(name);
}

addEventListener("popstate", () => choose(location.pathname.slice(1) || [...cameras.keys()][0]));

$("door").addEventListener("submit", (event) => {
  event.preventDefault();
  token.value = $("token").value.trim();
  $("door").hidden = true;
  $("picture").hidden = false;
  link.open(token.value);
});

const full = () => (document.fullscreenElement ? document.exitFullscreen() : $("picture").requestFullscreen());
$("full").addEventListener("click", full);
$("full").hidden = !document.fullscreenEnabled;
addEventListener("keydown", ({key, target, ctrlKey, altKey, metaKey}) => {
  if (target instanceof HTMLInputElement || ctrlKey || altKey || metaKey) return;
  const name = [...cameras.keys()][Number(key) - 1];
  if (key === "f") full();
  else if (name) go(name);
});
