"use strict";

const graphSeconds = 60;
const silenceLimit = 5000; // ms; the server says something every two seconds
const retryAfter = 1500; // ms
const mostRows = 100;

const element = (id) => document.getElementById(id);

// Connection

let events = null;
let lastHeard = 0; // when the last event came, in ms
let connected = false;
let retry = 0;

function showState(kind, text) {
  element("state").className = "state " + kind;
  // Screen readers announce changes, so none is made without need.
  if (element("state-text").textContent !== text) element("state-text").textContent = text;
}

function showSource(source) {
  const playing = source.startsWith("playing");
  showState(playing ? "good" : source.startsWith("ended") ? "" : "wait", source);
  element("figure").classList.toggle("stale", !playing);
  element("notice").textContent = source;
}

function disconnect() {
  clearTimeout(retry);
  if (events) events.close();
  events = null;
  connected = false;
  element("picture").removeAttribute("src");
}

function lose() {
  disconnect();
  showState("bad", "disconnected, retrying");
  element("figure").classList.add("stale");
  element("notice").textContent = "disconnected, retrying";
  retry = setTimeout(connect, retryAfter);
}

function connect() {
  disconnect();
  lastHeard = performance.now();
  events = new EventSource("events");
  events.onmessage = (message) => {
    lastHeard = performance.now();
    if (!connected) {
      connected = true;
      // The number makes it a new request.
      element("picture").src = "stream.mjpg?" + Date.now();
    }
    show(JSON.parse(message.data));
  };
  events.onerror = lose;
}

setInterval(() => {
  if (events && performance.now() - lastHeard > silenceLimit) lose();
}, 1000);

// What nobody looks at is not sent.
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) {
    connect();
    return;
  }
  disconnect();
});

// Threshold, where there is one

const slider = element("threshold");
let wanted = null; // that the server has not been told yet
let telling = false;
let touched = -Infinity; // when the slider was moved last, in ms

function showThreshold(value) {
  slider.value = value;
  element("threshold-value").textContent = Number(value).toFixed(2);
}

function showProblem(text) {
  element("problem").textContent = text;
  element("problem").hidden = !text;
}

// One request at a time, the newest value next.
async function tellThreshold() {
  if (telling) return;
  telling = true;
  while (wanted !== null) {
    const body = new URLSearchParams({ value: wanted });
    wanted = null;
    try {
      const reply = await fetch("threshold", { method: "POST", body });
      showProblem(reply.ok ? "" : "The threshold was not changed: " + (await reply.text()));
    } catch (error) {
      showProblem("The threshold was not changed: the server does not answer.");
    }
  }
  telling = false;
}

if (slider)
  slider.addEventListener("input", (event) => {
    touched = performance.now();
    wanted = event.target.value;
    showThreshold(wanted);
    tellThreshold();
  });

element("controls").addEventListener("submit", (event) => event.preventDefault());

// Of another page, or how it began.
function followThreshold(value) {
  if (slider && !telling && performance.now() - touched > 1000) showThreshold(value);
}

// Detections, or the classes of pixels

const rows = [];
const ofPixels = !document.querySelector("th.box");

function makeRow() {
  const row = document.createElement("tr");
  const cells = ofPixels ? [0, 1] : [0, 1, 2];
  const [title, share, box] = cells.map(() => row.appendChild(document.createElement("td")));
  const swatch = document.createElement("span");
  if (ofPixels) title.appendChild(swatch).className = "swatch";
  const name = title.appendChild(document.createElement("span"));
  const holder = share.appendChild(document.createElement("div"));
  holder.className = "share";
  const meter = holder.appendChild(document.createElement("meter"));
  const percent = holder.appendChild(document.createElement("span"));
  if (box) box.className = "box";
  element("rows").append(row);
  rows.push({ row, title, swatch, name, meter, percent, box });
}

function boxText(coordinates) {
  if (!coordinates) return "";
  const { naturalWidth: w, naturalHeight: h } = element("picture");
  if (!w || !h) return "";
  const left = Math.round((coordinates.center_x - coordinates.width / 2) * w);
  const top = Math.round((coordinates.center_y - coordinates.height / 2) * h);
  return `${left}, ${top} · ${Math.round(coordinates.width * w)} × ${Math.round(coordinates.height * h)}`;
}

function showDetections(detections) {
  const objects = ((detections && (detections.objects || detections.classes)) || []).slice();
  const score = (object) => (ofPixels ? object.share : object.confidence);
  objects.sort((a, b) => score(b) - score(a));
  const n = Math.min(objects.length, mostRows);
  while (rows.length < n) makeRow();
  rows.forEach((to, i) => {
    to.row.hidden = i >= n;
    if (i >= n) return;
    const object = objects[i];
    to.name.textContent = to.title.title = object.name;
    to.meter.value = score(object);
    to.percent.textContent = (100 * score(object)).toFixed(ofPixels ? 1 : 0) + " %";
    if (ofPixels) to.swatch.style.backgroundColor = object.colour;
    else to.box.textContent = boxText(object.relative_coordinates);
  });
  element("count").textContent = objects.length;
  element("none").hidden = objects.length > 0;
}

// Statistics

const history = []; // of {t (s), fps, median, worst}, oldest first

const known = (x) => typeof x === "number" && Number.isFinite(x);
const fixed = (x, digits) => (known(x) ? x.toFixed(digits) : "–");
const milliseconds = (x) => fixed(x, x < 10 ? 1 : 0);

function showStatistics(s) {
  element("fps").textContent = fixed(s.fps, s.fps < 20 ? 1 : 0);
  element("latency").textContent = milliseconds(s.latency_median_ms);
  element("latency-95").textContent = milliseconds(s.latency_95_ms);
  element("network").textContent = milliseconds(s.network_ms);
  element("frames").textContent = s.frames.toLocaleString();
  element("dropped").textContent = s.dropped.toLocaleString();
  const all = s.frames + s.dropped;
  element("dropped-share").textContent =
    all > 0 && s.dropped > 0 ? `(${((100 * s.dropped) / all).toFixed(1)} %)` : "";
  element("clients").textContent = s.clients;
}

// Without results in the last seconds there is no latency, not one of 0.
function forgetOutage(s) {
  if (!(s.fps > 0) && !(s.latency_95_ms > 0))
    s.latency_median_ms = s.latency_95_ms = s.network_ms = null;
}

function keep(s) {
  const t = performance.now() / 1000;
  history.push({ t, fps: s.fps, median: s.latency_median_ms, worst: s.latency_95_ms });
  while (history[0].t < t - graphSeconds - 2) history.shift();
}

function show(event) {
  forgetOutage(event.statistics);
  showSource(event.statistics.source);
  showStatistics(event.statistics);
  followThreshold(event.statistics.threshold);
  // Without them it is a change of state: those of the last frame are still shown.
  if (event.detections) showDetections(event.detections);
  if (event.frame > 0) keep(event.statistics);
}

// Graphs

// The least of 1, 2, 5, 10, 20, ... that is not below x.
function roundUp(x) {
  const power = 10 ** Math.floor(Math.log10(x));
  return [1, 2, 5, 10].find((step) => step * power >= x * 0.999999) * power;
}

function fitCanvas(canvas) {
  const scale = window.devicePixelRatio || 1;
  const { clientWidth: w, clientHeight: h } = canvas;
  if (canvas.width !== Math.round(w * scale) || canvas.height !== Math.round(h * scale)) {
    canvas.width = Math.round(w * scale);
    canvas.height = Math.round(h * scale);
  }
  const context = canvas.getContext("2d");
  context.setTransform(scale, 0, 0, scale, 0, 0);
  context.clearRect(0, 0, w, h);
  return { context, w, h };
}

// Horizontal lines with numbers, vertical ones every 15 seconds. Returns how values become pixels.
function drawAxes(context, w, h, most, colour) {
  const step = roundUp(Math.max(most, 1) / 3);
  const top = step * Math.ceil(Math.max(most * 1.05, 1) / step);
  const area = { left: 30, right: w - 4, top: 6, bottom: h - 18 };
  const y = (value) => area.bottom - ((area.bottom - area.top) * value) / top;
  const x = (age) => area.right - ((area.right - area.left) * age) / graphSeconds;
  context.font = "11px system-ui, sans-serif";
  context.fillStyle = colour("--quiet");
  context.strokeStyle = colour("--line");
  context.lineWidth = 1;
  context.beginPath();
  context.textAlign = "right";
  context.textBaseline = "middle";
  for (let value = 0; value <= top * 1.0001; value += step) {
    const at = Math.round(y(value)) + 0.5;
    context.moveTo(area.left, at);
    context.lineTo(area.right, at);
    context.fillText(Number(value.toPrecision(3)), area.left - 5, at);
  }
  context.textBaseline = "alphabetic";
  for (let age = 0; age <= graphSeconds; age += 15) {
    context.textAlign = age === 0 ? "right" : age === graphSeconds ? "left" : "center";
    context.fillText(age === 0 ? "now" : `−${age} s`, x(age), h - 3);
  }
  context.stroke();
  return { x, y, area };
}

function drawLine(context, axes, now, key, colour, filled) {
  const points = history.filter((p) => known(p[key]) && now - p.t <= graphSeconds);
  if (points.length < 2) return;
  context.beginPath();
  for (const p of points) context.lineTo(axes.x(now - p.t), axes.y(p[key]));
  context.strokeStyle = context.fillStyle = colour;
  context.lineWidth = 1.75;
  context.lineJoin = "round";
  context.stroke();
  if (!filled) return;
  context.lineTo(axes.x(now - points[points.length - 1].t), axes.area.bottom);
  context.lineTo(axes.x(now - points[0].t), axes.area.bottom);
  context.globalAlpha = 0.14;
  context.fill();
  context.globalAlpha = 1;
}

function drawGraph(id, lines) {
  const { context, w, h } = fitCanvas(element(id));
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(name).trim();
  const now = performance.now() / 1000;
  const most = Math.max(0, ...history.flatMap((p) => lines.map((l) => p[l.key])).filter(known));
  const axes = drawAxes(context, w, h, most, colour);
  for (const line of lines) drawLine(context, axes, now, line.key, colour(line.colour), line.filled);
}

function drawGraphs() {
  drawGraph("fps-graph", [{ key: "fps", colour: "--accent", filled: true }]);
  drawGraph("latency-graph", [
    { key: "worst", colour: "--second" },
    { key: "median", colour: "--accent", filled: true },
  ]);
}

setInterval(() => document.hidden || requestAnimationFrame(drawGraphs), 200);
window.addEventListener("resize", drawGraphs);

// The last picture, which stays when the stream ends, and can be saved

function keepPicture() {
  const picture = element("picture");
  const last = element("last");
  const { naturalWidth: w, naturalHeight: h } = picture;
  if (!picture.hasAttribute("src") || !w) return;
  if (last.width !== w || last.height !== h) {
    last.width = w;
    last.height = h;
  }
  last.getContext("2d").drawImage(picture, 0, 0);
}

setInterval(keepPicture, 500);

element("save").addEventListener("click", () => {
  keepPicture();
  if (!element("last").width) return;
  element("last").toBlob((blob) => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = `darknet-${new Date().toISOString().replace(/[:.]/g, "-")}.png`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  });
});

if (document.fullscreenEnabled)
  element("full").addEventListener("click", () => element("figure").requestFullscreen());
else element("full").hidden = true;

drawGraphs();
connect();
