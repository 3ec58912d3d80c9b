// Follows the daemon's news, makes anew what changed, and asks for what is pressed.

import * as parts from "./parts.js";
import { ago, at, sayIn } from "./words.js";

const PLACES = {
  headline: "#headline", under: "#under", all: "#all", attention: "#attention .list", now: "#now .runs",
  entries: "#entries .list", studies: "#studies .cards", failures: "#failures .list", machine: "#machine dl",
};
const HIDDEN_WHEN_EMPTY = ["attention", "studies"];
const SAY = { ago, at };
const find = (selector) => document.querySelector(selector);
const shown = {};
let lastHeard = null;

// The address must not keep the token: it would go into the history and be copied.
if (location.search) history.replaceState(null, "", location.pathname);

function render(status) {
  sayIn(status.timezone);
  for (const [name, selector] of Object.entries(PLACES)) {
    const place = find(selector);
    const made = document.createElement("div");
    made.append(...[parts[name](status)].flat(9).filter(Boolean));
    const said = made.innerHTML.replace(/(<time[^>]*>)[^<]*/g, "$1"); // passing time is no news
    if (shown[name] === said) continue;
    shown[name] = said;
    const key = place.contains(document.activeElement) ? document.activeElement.dataset.key : null;
    place.replaceChildren(...made.childNodes);
    if (key) place.querySelector(`[data-key="${CSS.escape(key)}"]`)?.focus();
  }
  for (const name of HIDDEN_WHEN_EMPTY) find(`#${name}`).hidden = !find(PLACES[name]).childNodes.length;
  document.title = `${status.walls.length ? `(${status.walls.length}) ` : ""}${parts.headline(status)} – feedsway`;
}

function tell(sentence, wrong = false) {
  const said = find("#said");
  said.textContent = sentence;
  said.classList.toggle("wrong", wrong);
  clearTimeout(tell.timer);
  tell.timer = setTimeout(() => { said.textContent = ""; }, wrong ? 15000 : 4000);
}

async function ask(button) {
  button.disabled = true;
  try {
    const answer = await fetch(`/api/${button.dataset.ask}`, { method: "POST", body: button.dataset.wish });
    const told = answer.headers.get("content-type")?.startsWith("application/json") ? await answer.json() : { error: await answer.text() };
    if (answer.ok) {
      render(told);
      tell("Done.");
    } else tell(told.error, true);
  } catch {
    tell("The daemon does not answer.", true);
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

function follow() {
  const news = new EventSource("/api/news");
  news.onmessage = (event) => {
    lastHeard = new Date().toISOString();
    document.body.classList.remove("lost");
    find("#link").textContent = "live";
    render(JSON.parse(event.data));
  };
  news.onerror = () => {
    document.body.classList.add("lost");
    find("#link").textContent = lastHeard ? `no answer since ${at(lastHeard)}` : "no answer";
    if (news.readyState === EventSource.CLOSED) setTimeout(follow, 5000);
  };
}

setInterval(() => {
  for (const time of document.querySelectorAll("time[data-say]")) time.textContent = SAY[time.dataset.say](time.dateTime);
}, 1000);
follow();
