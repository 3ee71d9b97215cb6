"use strict";
// A picture, chosen or dropped or pasted -> POST predict -> the result, shown.

const $ = (id) => document.getElementById(id);
const form = $("form");
const maxMegabytes = Number(form.dataset.maxMegabytes);
let picture = null; // a File
let example = 0;

function say(status, error = "") {
  $("status").textContent = status;
  $("error").textContent = error;
}

function setWorking(working) {
  form.classList.toggle("working", working);
  $("result").setAttribute("aria-busy", String(working));
  for (const id of ["predict", "example", "file"]) $(id).disabled = working;
  $("predict").disabled = working || !picture;
}

const isWorking = () => form.classList.contains("working");

function choose(file) {
  if (isWorking() || !file) return;
  if (file.size > maxMegabytes * 2 ** 20) {
    say("", `This file is too large: at most ${maxMegabytes} MB.`);
    return;
  }
  picture = file;
  // A dropped or pasted file is named beside the button like a chosen one.
  const named = new DataTransfer();
  named.items.add(file);
  $("file").files = named.files;
  URL.revokeObjectURL($("chosen").src);
  $("chosen").src = URL.createObjectURL(file);
  $("chosen").hidden = false;
  predict();
}

async function answerTo(response) {
  let answer = {};
  try {
    answer = await response.json();
  } catch { /* no JSON: not from our own program */ }
  if (response.ok && answer.video) return answer;
  throw new Error(answer.error || `The server answered ${response.status}.`);
}

async function whileWorking(status, work) {
  const focused = document.activeElement; // disabled, it would lose the focus
  setWorking(true);
  say(status);
  try {
    await work();
  } catch (error) {
    const lost = error instanceof TypeError;
    say("", lost ? "The server cannot be reached: does it still run?" : error.message);
  }
  setWorking(false);
  if (document.activeElement === document.body && form.contains(focused)) {
    focused.focus({ preventScroll: true });
  }
}

function predict() {
  if (!form.reportValidity()) return;
  const chosen = new URLSearchParams(new FormData(form));
  whileWorking("Predicting. This takes some seconds.", async () => {
    const request = { method: "POST", body: picture };
    const response = await fetch(`predict?${chosen}`, request);
    show(await answerTo(response));
    say("Done: the result is below.");
  });
}

function percent(share) {
  return `${(100 * share).toFixed(share < 0.1 ? 1 : 0)} %`;
}

function show(answer) {
  $("moving").textContent = percent(answer.moving_share);
  $("mean-confidence").textContent = percent(answer.mean_confidence);
  const unit = document.createElement("small");
  unit.textContent = " px per prediction";
  $("fastest").replaceChildren(answer.fastest.toFixed(1), unit);
  $("remarks").textContent = answer.remarks.map((text) => `${text}. `).join("");
  $("remarks").hidden = !answer.remarks.length;
  $("about").textContent = about(answer);
  const seconds = (answer.num_frames / 10).toFixed(1);
  $("film-note").textContent = `${answer.num_frames} frames, ${seconds} s, repeated. `;
  for (const id of ["flow", "confidence", "video"]) $(id).src = answer[id];
  $("video").width = answer.width;
  $("video").height = answer.height;
  $("download").href = answer.video;
  $("result").hidden = false;
  if (!matchMedia("(prefers-reduced-motion: reduce)").matches) {
    $("video").play().catch(() => {}); // a browser may refuse: there are controls
  }
  $("result").scrollIntoView({ block: "start" });
}

function about({ width, height, grid, shrunk_from: before }) {
  const size = `${width} × ${height} pixels`;
  const shrunk = before
    ? `Your picture of ${before[0]} × ${before[1]} pixels was shrunk to ${size}. `
    : `The picture has ${size}. `;
  const cells = `The network looked at ${grid[0]} × ${grid[1]} cells. `;
  return `${shrunk}${cells}Speeds are in pixels of this size.`;
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  if (picture && !isWorking()) predict();
});
$("file").addEventListener("change", () => choose($("file").files[0]));
$("example").addEventListener("click", async () => {
  let file = null;
  await whileWorking("Drawing an example.", async () => {
    const response = await fetch(`example.png?number=${example}`);
    if (!response.ok) throw new Error("The example could not be drawn.");
    file = new File([await response.blob()], "example.png", { type: "image/png" });
  });
  example += 1;
  choose(file);
});

// A picture that misses the frame would replace the page: the whole page takes it.
document.addEventListener("dragover", (event) => {
  event.preventDefault();
  $("drop").classList.add("over");
});
document.addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) $("drop").classList.remove("over");
});
document.addEventListener("drop", (event) => {
  event.preventDefault();
  $("drop").classList.remove("over");
  choose(event.dataTransfer.files[0]);
});
document.addEventListener("paste", (event) => {
  const files = [...event.clipboardData.files];
  if (files.length) choose(files[0]);
});
