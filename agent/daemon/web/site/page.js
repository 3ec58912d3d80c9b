// Follows the daemon's news, makes anew what changed, and asks for what is pressed.

import * as sections from "./sections.js";
import { ago, at, lasting, sayIn } from "./wording.js";

const PLACES = {
  headline: "#headline", under: "#under", all: "#all", attention: "#attention .list", now: "#now .runs",
  entries: "#entries .list", studies: "#studies .cards", failures: "#failures .list", machine: "#machine dl",
};
const HIDDEN_WHEN_EMPTY = ["attention", "studies"];
const SAY = { ago, at, lasting };
const find = (selector) => document.querySelector(selector);
const shown = {};
const frames = new Map();
const MOST_FRAMES = 50;
const AGAIN_MS = 3000;
const EXPLORER_MS = 10000;
let lastHeard = null;

let token = null;
let following = false;

// The token lives in this page's memory alone. A cookie would go to every port of this machine, and
// the address must not keep it: it would go into the history and be copied.
function takeToken() {
  for (const part of [location.hash.slice(1), location.search]) {
    token = new URLSearchParams(part).get("token") ?? token;
  }
  if (location.hash || location.search) history.replaceState(null, "", location.pathname);
}

const call = (path, options = {}) => fetch(path, { ...options, headers: { Authorization: `Bearer ${token}` } });

function render(status) {
  sayIn(status.timezone);
  for (const [name, selector] of Object.entries(PLACES)) {
    const place = find(selector);
    const made = document.createElement("div");
    made.append(...[sections[name](status)].flat(9).filter(Boolean));
    const said = made.innerHTML.replace(/(<time[^>]*>)[^<]*/g, "$1"); // passing time is no news
    if (shown[name] === said) continue;
    shown[name] = said;
    const key = place.contains(document.activeElement) ? document.activeElement.dataset.key : null;
    place.replaceChildren(...made.childNodes);
    place.querySelectorAll("img[data-frame]").forEach(showFrame);
    if (key) place.querySelector(`[data-key="${CSS.escape(key)}"]`)?.focus();
  }
  for (const name of HIDDEN_WHEN_EMPTY) find(`#${name}`).hidden = !find(PLACES[name]).childNodes.length;
  document.title = `${status.walls.length ? `(${status.walls.length}) ` : ""}${sections.headline(status)} – feedsway`;
}

// Frames are asked for with the token, which an address in the markup could not send.
async function showFrame(image) {
  const name = image.dataset.frame;
  if (!frames.has(name)) {
    const answer = await call(`/frames/${name}.jpg`).catch(() => null);
    if (!answer?.ok) return;
    frames.set(name, URL.createObjectURL(await answer.blob()));
    if (frames.size > MOST_FRAMES) {
      const [oldest, address] = frames.entries().next().value;
      URL.revokeObjectURL(address);
      frames.delete(oldest);
    }
  }
  image.src = frames.get(name);
}

const timers = {};

// What went wrong has a line of its own, which no later "Copied." takes. The page grows by the height
// of both, so that whatever they lie over can be scrolled to.
function tell(sentence, where = "#said") {
  clearTimeout(timers[where]);
  find(where).textContent = sentence;
  document.body.style.paddingBottom = `${find("#toasts").offsetHeight}px`;
  if (sentence) timers[where] = setTimeout(() => tell("", where), where === "#wrong" ? 15000 : 4000);
}

async function ask(button) {
  button.disabled = true;
  try {
    const answer = await call(`/api/${button.dataset.ask}`, { method: "POST", body: button.dataset.wish });
    const told = answer.headers.get("content-type")?.startsWith("application/json") ? await answer.json() : { error: await answer.text() };
    if (answer.ok) {
      render(told);
      tell("", "#wrong");
      tell("Done.");
    } else tell(told.error, "#wrong");
  } catch {
    tell("The daemon does not answer.", "#wrong");
  } finally {
    button.disabled = false;
  }
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest("button");
  if (button?.dataset.ask) await ask(button);
  else if (button?.dataset.copy) {
    await navigator.clipboard.writeText(button.dataset.copy);
    tell("Copied.");
  }
});

function hear(status) {
  const isFirst = lastHeard === null;
  lastHeard = new Date().toISOString();
  if (isFirst) showExplorer();
  document.body.classList.remove("lost");
  find("#link").textContent = "live";
  render(status);
}

// Server-sent events, read by hand: the browser's own reader of them sends no header.
async function listen() {
  const answer = await call("/api/news");
  if (answer.status === 403) return false;
  const chunks = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  for (let rest = ""; ;) {
    const { value, done } = await chunks.read();
    if (done) return true;
    const events = (rest + value).split("\n\n");
    rest = events.pop();
    events.filter((one) => one.startsWith("data: ")).forEach((one) => queueMicrotask(() => hear(JSON.parse(one.slice(6)))));
  }
}

async function follow() {
  following = true;
  const known = token !== null && await listen().catch(() => true);
  document.body.classList.add("lost");
  if (known) {
    find("#link").textContent = lastHeard ? `no answer since ${at(lastHeard)}` : "no answer";
    setTimeout(follow, AGAIN_MS);
    return;
  }
  following = false;
  find("#link").textContent = "not signed in";
  find("#headline").textContent = "Open the link again";
  find("#under").textContent = "The token is kept in the page’s memory alone. For the link, type: python -m agent status";
}

// The explorer comes and goes by itself; its link holds its token, so it is asked for with ours.
async function showExplorer() {
  const answer = lastHeard && await call("/api/explorer").catch(() => null);
  const { link } = answer?.ok ? await answer.json() : { link: null };
  const place = find("#explorer");
  place.hidden = !link;
  if (link) place.href = link;
}

setInterval(showExplorer, EXPLORER_MS);
setInterval(() => {
  for (const time of document.querySelectorAll("time[data-say]")) time.textContent = SAY[time.dataset.say](time.dateTime);
}, 1000);
addEventListener("hashchange", () => {
  takeToken();
  if (!following) follow();
});
takeToken();
follow();
