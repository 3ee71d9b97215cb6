// A picture, chosen or dropped or pasted -> POST picture -> shown, to draw on.
// Each change -> POST film, twice: a small film at once, then the whole one.

import { Editor } from "./editor.js";

const $ = (id) => document.getElementById(id);
const maxMegabytes = Number($("chooser").dataset.maxMegabytes);
const BRUSHES = ["paint", "wipe"];
const SOON = 150; // ms without a change before the film is asked for
const LOOKS_BACK = 0.05; // s before the end, where the last frame is still shown
const NOTES = {
  arrow: "Drag from what should move to where it is when the film ends.",
  pin: "Click on what should stay. A click on a pin takes it away.",
  paint: "Paint over what may move; all else stays. Without paint everything may move.",
  wipe: "Wipe paint away.",
};

let picture = null; // {blob, name}: as it is sent, and what downloads are called
let example = 0;
let asking = null; // AbortController of what is being waited for
let ticking = null;
let took = {}; // seconds that each kind of work took the last time
let firstSeed = 0; // of three futures
let taken = null; // the future that is played alone: 0, 1, 2

const editor = new Editor($("canvas"), {
  changed() {
    $("undo").disabled = !editor.past.length;
    $("clear").disabled = !editor.marks.length;
    if (document.activeElement.disabled) $("canvas").focus({ preventScroll: true });
    follow();
  },
  say: (text) => { $("said").textContent = text; },
});

// What one waits for.

function say(text) {
  clearInterval(ticking);
  $("status").textContent = text;
  $("seconds").textContent = "";
}

function wait(text, kind) {
  say(text);
  hideTrouble();
  document.body.classList.add("working");
  const start = performance.now();
  const before = took[kind] ? ` (the last one took ${took[kind].toFixed(1)} s)` : "";
  const tick = () => {
    $("seconds").textContent = `${((performance.now() - start) / 1000).toFixed(1)} s${before}`;
  };
  tick();
  ticking = setInterval(tick, 100);
  return () => {
    took[kind] = (performance.now() - start) / 1000;
    say("");
    document.body.classList.remove("working");
    return `${took[kind].toFixed(1)} s`;
  };
}

function hideTrouble() {
  $("trouble").hidden = true;
  $("error").textContent = "";
}

function fail(error, canRetry) {
  say("");
  document.body.classList.remove("working");
  const lost = error instanceof TypeError;
  $("trouble").hidden = false;
  $("again").hidden = !canRetry;
  $("error").textContent = lost ? "The server cannot be reached: does it still run?" : sentence(error.message);
}

function sentence(text) {
  const begun = text[0].toUpperCase() + text.slice(1);
  return /[.!?]$/.test(begun) ? begun : `${begun}.`;
}

// Begins something new: nobody waits for what was asked before.
function restart() {
  asking?.abort();
  asking = new AbortController();
  return asking.signal;
}

async function post(address, body, signal) {
  const response = await fetch(address, { method: "POST", body, signal });
  if (response.ok) return response;
  let answer = {};
  try {
    answer = await response.json();
  } catch { /* no JSON: not from our own program */ }
  throw new Error(answer.error || `The server answered ${response.status}.`);
}

function toBlob(uri) {
  const [, kind, content] = uri.match(/^data:(.*);base64,(.*)$/);
  return new Blob([Uint8Array.from(atob(content), (c) => c.charCodeAt(0))], { type: kind });
}

// The picture.

async function open(file) {
  if (!file) return;
  const signal = restart();
  forgetPicture();
  if (file.size > maxMegabytes * 2 ** 20) {
    fail(new Error(`This file is too large: at most ${maxMegabytes} MB.`));
    return;
  }
  // A dropped or pasted file is named beside the button like a chosen one.
  const named = new DataTransfer();
  named.items.add(file);
  $("file").files = named.files;
  const done = wait("Reading the picture:", "picture");
  try {
    const answer = await (await post("picture", file, signal)).json();
    const blob = toBlob(answer.picture);
    const image = await createImageBitmap(blob);
    if (signal.aborted) return;
    done();
    picture = { blob, name: file.name.replace(/\.\w+$/, "") || "picture" };
    $("about").textContent = about(answer);
    $("work").style.setProperty("--aspect", answer.width / answer.height);
    $("work").hidden = false;
    editor.open(image);
    editor.changed();
  } catch (error) {
    if (!signal.aborted) fail(error);
  }
}

function forgetPicture() {
  picture = null;
  editor.empty();
  forgetFilm();
  taken = null;
  delete $("run").dataset.state;
  $("work").hidden = true;
  $("said").textContent = "";
}

function about({ width, height, shrunk_from: before }) {
  const size = `${width} × ${height} pixels`;
  if (!before) return `The picture has ${size}.`;
  return `Your picture of ${before[0]} × ${before[1]} pixels was shrunk to ${size}.`;
}

// The film.

function wishes() {
  const show = $("show").value;
  const seeds = [0, 1, 2].map((i) => firstSeed + i);
  return {
    arrows: editor.arrows.map((mark) => [mark.from, mark.to]),
    pins: editor.pins.map((mark) => mark.to),
    strength: Number($("strength").value),
    length: Number($("length").value),
    ending: $("ending").value,
    mood: show === "lively" ? "lively" : "calm",
    seeds: show !== "futures" ? [] : taken === null ? seeds : [seeds[taken]],
  };
}

async function ask(kind, signal) {
  const form = new FormData();
  form.append("picture", picture.blob, "picture.png");
  const mask = await editor.mask();
  if (mask) form.append("mask", mask, "mask.png");
  form.append("wishes", JSON.stringify(wishes()));
  form.append("kind", kind);
  return post("film", form, signal);
}

async function follow() {
  if (!picture) return;
  const signal = restart();
  say("");
  $("films").classList.add("stale");
  $("downloads").hidden = true;
  await new Promise((resolve) => setTimeout(resolve, SOON));
  if (signal.aborted) return;
  try {
    for (const [kind, text] of [["preview", "Preview:"], ["film", "The whole film:"]]) {
      const done = wait(text, kind);
      const answer = await (await ask(kind, signal)).json();
      const videos = await Promise.all(answer.videos.map(makeVideo));
      if (signal.aborted) return;
      show(answer, videos, kind === "preview");
      const time = done();
      if (kind === "film") say(`The film is ready, after ${time}.`);
    }
  } catch (error) {
    if (signal.aborted) return;
    forgetFilm();
    fail(error, true);
  }
}

function makeVideo(uri) {
  const video = document.createElement("video");
  Object.assign(video, { muted: true, playsInline: true });
  video.src = URL.createObjectURL(toBlob(uri));
  return new Promise((resolve, reject) => {
    video.addEventListener("loadeddata", () => resolve(video));
    video.addEventListener("error", () => reject(new Error("This browser cannot play the film.")));
  });
}

const videos = () => [...$("films").querySelectorAll("video")];

function forgetFilm() {
  for (const video of videos()) URL.revokeObjectURL(video.src);
  $("films").replaceChildren();
  $("films").classList.remove("stale");
  for (const id of ["play", "downloads", "details", "remarks"]) $(id).hidden = true;
  $("film-note").textContent = "";
}

function show(answer, made, isPreview) {
  const before = $("run").dataset.state;
  const focused = document.activeElement;
  forgetFilm();
  const several = made.length > 1;
  $("films").append(...made.map((video, i) => framed(video, i, several)));
  $("films").classList.toggle("several", several);
  $("film-title").textContent = several ? "Three possible futures" : "The film";
  $("remarks").textContent = answer.remarks.join(" ");
  $("remarks").hidden = !answer.remarks.length;
  $("play").hidden = false;
  $("others").hidden = !several;
  $("back").hidden = !($("show").value === "futures" && taken !== null);
  const size = `${answer.width} × ${answer.height} pixels, ${answer.seconds.toFixed(1)} s`;
  $("film-note").textContent = isPreview ? "A preview, small and of few frames." : `${size}, repeated.`;
  $("farthest").textContent = `${answer.farthest.toFixed(answer.farthest < 10 ? 1 : 0)} pixels`;
  if (answer.flow) {
    $("moving").textContent = percent(answer.moving_share);
    $("mean-confidence").textContent = percent(answer.mean_confidence);
    for (const id of ["flow", "confidence"]) $(id).src = answer[id];
    $("details").hidden = false;
    $("mp4").href = made[0].src;
    $("mp4").download = `${picture.name}.mp4`;
    $("downloads").hidden = false;
  }
  // What had the focus may be gone.
  if (!focused.checkVisibility()) $(several ? "others" : "run").focus({ preventScroll: true });
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  setShown(before ?? (calm ? "before" : "run"));
}

function framed(video, i, several) {
  const figure = document.createElement("figure");
  figure.append(video);
  video.setAttribute("aria-label", several ? `Future ${i + 1}` : "The picture, moving");
  if (several) {
    const button = document.createElement("button");
    Object.assign(button, { type: "button", className: "quiet", textContent: `Future ${i + 1}` });
    button.setAttribute("aria-label", `Future ${i + 1}: take it`);
    button.addEventListener("click", () => {
      taken = i;
      follow();
    });
    figure.append(button);
  }
  return figure;
}

function percent(share) {
  return `${(100 * share).toFixed(share < 0.1 ? 1 : 0)} %`;
}

// Before: the picture; after: where everything has arrived, in a loop half way.
function setShown(state) {
  $("run").dataset.state = state;
  for (const id of ["before", "after", "run"]) $(id).setAttribute("aria-pressed", String(id === state));
  for (const video of videos()) {
    video.loop = state === "run"; // or a browser would begin again from the end
    if (state === "run") {
      video.play().catch(() => {}); // a browser may refuse: there is the button
    } else {
      video.pause();
      const last = $("ending").value === "loop" ? video.duration / 2 : video.duration - LOOKS_BACK;
      video.currentTime = state === "before" ? 0 : last;
    }
  }
}

function download(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

// What one can do.

$("chooser").addEventListener("submit", (event) => event.preventDefault());
$("file").addEventListener("change", () => open($("file").files[0]));
$("again").addEventListener("click", () => {
  hideTrouble();
  follow();
});
$("example").addEventListener("click", async () => {
  try {
    const response = await fetch(`example.png?number=${example}`);
    if (!response.ok) throw new Error("The example could not be drawn.");
    example += 1;
    open(new File([await response.blob()], "example.png", { type: "image/png" }));
  } catch (error) {
    restart();
    forgetPicture();
    fail(error);
  }
});

function chooseTool() {
  editor.tool = new FormData($("tools")).get("tool");
  editor.cancel();
  $("tool-note").textContent = NOTES[editor.tool];
  $("brush").hidden = !BRUSHES.includes(editor.tool);
}
$("tools").addEventListener("change", chooseTool);
$("tools").addEventListener("submit", (event) => event.preventDefault());
chooseTool();
$("radius").addEventListener("input", () => { editor.radius = Number($("radius").value); });
$("undo").addEventListener("click", () => editor.undo());
$("clear").addEventListener("click", () => editor.set([]));
document.addEventListener("keydown", (event) => {
  const isUndo = (event.ctrlKey || event.metaKey) && !event.shiftKey && event.key === "z";
  if (!isUndo || !picture || !editor.past.length) return;
  event.preventDefault();
  editor.undo();
});

function showOptions() {
  $("strength-shown").textContent = `${Number($("strength").value)} ×`;
  const { value, dataset } = $("length");
  $("length-shown").textContent = `${(value * dataset.seconds).toFixed(1)} s`;
}
$("options").addEventListener("input", showOptions);
$("options").addEventListener("change", () => {
  taken = null;
  follow();
});
$("options").addEventListener("submit", (event) => event.preventDefault());
showOptions();

for (const id of ["before", "after", "run"]) $(id).addEventListener("click", () => setShown(id));
$("others").addEventListener("click", () => {
  firstSeed += 3;
  follow();
});
$("back").addEventListener("click", () => {
  taken = null;
  follow();
});
$("gif").addEventListener("click", async () => {
  const signal = restart();
  const done = wait("Making the GIF:", "gif");
  try {
    const blob = await (await ask("gif", signal)).blob();
    if (signal.aborted) return;
    say(`The GIF is ready, after ${done()}.`);
    download(blob, `${picture.name}.gif`);
  } catch (error) {
    if (!signal.aborted) fail(error, false);
  }
});
$("still").addEventListener("click", () => {
  const [video] = videos();
  const canvas = document.createElement("canvas");
  canvas.width = video.videoWidth;
  canvas.height = video.videoHeight;
  canvas.getContext("2d").drawImage(video, 0, 0);
  canvas.toBlob((blob) => download(blob, `${picture.name}-still.png`), "image/png");
});

// A picture that misses the frame would replace the page: the whole page takes it.
document.addEventListener("dragover", (event) => {
  event.preventDefault();
  $("chooser").classList.add("over");
});
document.addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) $("chooser").classList.remove("over");
});
document.addEventListener("drop", (event) => {
  event.preventDefault();
  $("chooser").classList.remove("over");
  open(event.dataTransfer.files[0]);
});
document.addEventListener("paste", (event) => {
  const files = [...event.clipboardData.files];
  if (files.length) open(files[0]);
});
