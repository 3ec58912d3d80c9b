// Puts the page of the address in place, keeps the token, and hears keys.

import { call, get, hasToken, takeToken } from "./token.js";
import { FrameGrid } from "./grid.js";
import { LivePage } from "./live.js";
import { StripPair } from "./pair.js";
import { startLabels } from "./labels.js";

const page = document.querySelector("#page");
const progress = document.querySelector(".progress");
const keys = document.querySelector("#keys");
const STATE_MS = 1000;
const NO_TOKEN = "This page needs its token. For the link, type: python -m agent open";
const FIRST = "frames";
// What pages start once they are in place, and what ends with them.
const STARTS = {
  frames: (place, state) => new FrameGrid(place.querySelector(".frames"), state),
  pair: (place, state) => new StripPair(place, state.key),
  live: (place, state) => new LivePage(place, state.key),
  labels: startLabels,
};
const places = new Map();
let state = { ready: false, key: "" };
let living = null;
let shown = null;
let asked = 0;

function address() {
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  return { path: path || FIRST, name: (path || FIRST).split("/")[0], query };
}

// A piece of a page, and nothing else that an address could lead to: where it ends up, it is markup.
async function getPiece(path) {
  const isOdd = path.split("?")[0].split("/").some((part) => /^(\.|%2e){0,2}$/i.test(part) || /\\|%5c|%2f/i.test(part));
  if (isOdd) return { status: 404, told: "There is no such page." };
  const answer = await get(`/page/${path}`);
  const isPiece = answer.ok && answer.headers.get("content-type")?.startsWith("text/html") && new URL(answer.url).pathname.startsWith("/page/");
  if (isPiece) return { status: 200, made: await answer.text() };
  const told = answer.ok ? null : (await answer.json().catch(() => null))?.error;
  return { status: answer.ok ? 404 : answer.status, told: told ?? "There is no such page." };
}

export function tell(sentence) {
  const said = document.querySelector("#said");
  said.textContent = sentence;
  clearTimeout(tell.timer);
  tell.timer = setTimeout(() => { said.textContent = ""; }, 15000);
}

function say(text, style = "empty") {
  const line = document.createElement("p");
  line.className = style;
  line.textContent = text;
  page.replaceChildren(line);
}

async function show() {
  const { path, name, query } = address();
  const turn = ++asked;
  const piece = await getPiece(`${path}${query && `?${query}`}`); // the page before hears keys meanwhile
  if (turn !== asked) return;
  if (shown !== null) places.set(shown, scrollY);
  living?.end();
  living = null;
  shown = location.hash;
  if (piece.status === 403) return say(NO_TOKEN);
  if (piece.status === 404) return say(piece.told);
  if (piece.status !== 200) return say(`The explorer has stopped or failed (${piece.status}). Type: python -m agent open`);
  page.innerHTML = piece.made; // escaped by its template; scripts in it would not run
  page.dataset.page = name;
  document.title = `${page.querySelector("h1")?.textContent.trim() || "Frames"} – feedsway`;
  for (const link of document.querySelectorAll("[data-page]")) {
    if (link !== page) link.toggleAttribute("aria-current", link.dataset.page === name);
  }
  living = STARTS[name]?.(page, state) ?? null;
  scrollTo(0, places.get(location.hash) ?? 0);
  for (const part of page.querySelectorAll("[data-load]")) fill(part);
  for (const image of page.querySelectorAll("img.figure")) image.addEventListener("error", () => image.remove());
}

async function fill(part) {
  const piece = await getPiece(part.dataset.load);
  if (piece.status === 200) part.innerHTML = piece.made;
  else {
    const told = document.createElement("p");
    told.className = "soft";
    told.textContent = piece.told ?? "It could not be computed.";
    part.replaceChildren(told);
  }
}

// Follows what is read in the background; a page that was empty until then is shown again.
async function follow() {
  clearTimeout(follow.timer);
  const answer = await get("/api/state");
  if (answer.status === 403) return say(NO_TOKEN);
  if (answer.ok) {
    const before = state;
    state = await answer.json();
    document.body.classList.remove("lost");
    progress.textContent = state.problem || (state.ready ? (state.warm || state.search ? "" : "search is warming up") : `reading ${state.read} of ${state.total} runs`);
    const typing = page.contains(document.activeElement) && document.activeElement.matches("input");
    if (shown === null || (state.ready && !before.ready && !typing)) await show();
    else living?.follow?.(state);
  } else {
    document.body.classList.add("lost");
    progress.textContent = "The explorer does not answer. Type: python -m agent open";
  }
  follow.timer = setTimeout(follow, STATE_MS);
}

// A form that narrows a page down leads to an address, which can be kept and gone back to.
function go(form) {
  const pairs = [...new FormData(form)].filter(([, value]) => typeof value === "string" && value !== "");
  const query = new URLSearchParams(pairs).toString();
  location.hash = `#/${form.dataset.go}${query && `?${query}`}`;
}

async function lookFor(file) {
  const answer = await call("/api/picture", { method: "POST", body: file });
  const told = await answer.json().catch(() => ({ error: "The explorer does not answer." }));
  if (answer.ok) location.hash = `#/frames?picture=${told.picture}`;
  else tell(told.error);
}

document.addEventListener("submit", (event) => {
  if (!event.target.dataset.go) return;
  event.preventDefault();
  go(event.target);
});
document.addEventListener("change", (event) => {
  const form = event.target.closest("form[data-go]");
  if (event.target.matches("[data-picture]")) lookFor(event.target.files[0]);
  else if (form?.matches(".filters")) go(form);
});
document.addEventListener("click", (event) => {
  const enlarge = event.target.closest("[data-enlarge]");
  if (enlarge) {
    event.preventDefault();
    enlarge.classList.toggle("large");
  } else if (event.target.closest("[data-help]")) keys.showModal();
});
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || keys.open) return;
  if (event.target.matches("input, select, textarea")) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  const links = [...document.querySelectorAll(".bar nav a")];
  if (living?.key?.(event)) event.preventDefault();
  else if (links[event.key - 1]) links[event.key - 1].click();
  else if (event.key === "?") keys.showModal();
  else if (event.key === "Escape") history.back();
  else if (event.key === "/") {
    event.preventDefault();
    const field = page.querySelector("[data-key=search]");
    if (field) field.focus();
    else location.hash = "#/frames";
  } else if (event.key === "ArrowLeft" || event.key === "ArrowRight") {
    page.querySelector(`[data-key=${event.key === "ArrowLeft" ? "previous" : "next"}]`)?.click();
  }
});

addEventListener("hashchange", () => {
  if (takeToken()) {
    shown = null;
    follow();
  } else show();
});
history.scrollRestoration = "manual";
takeToken();
if (await hasToken()) follow();
else say(NO_TOKEN);
