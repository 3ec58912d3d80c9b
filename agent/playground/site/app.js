// Starts the page: keys, wheel and buttons become moves of the feed.

import { Feed } from "./feed.js";

const QUIET_MS = 120; // wheel events closer than this belong to one gesture
const { speed, motion } = document.documentElement.dataset;
const scroller = document.getElementById("feed");
const previous = document.getElementById("previous");
const next = document.getElementById("next");

const feed = new Feed(scroller, {
  speed: Number(speed),
  smooth: motion === "smooth",
  onchange: ({ active, cards, more }) => {
    previous.disabled = active <= 0;
    next.disabled = active >= cards.length - 1 && more;
  },
});

const keys = {
  ArrowDown: () => feed.step(1, "key"),
  PageDown: () => feed.step(1, "key"),
  j: () => feed.step(1, "key"),
  ArrowUp: () => feed.step(-1, "key"),
  PageUp: () => feed.step(-1, "key"),
  k: () => feed.step(-1, "key"),
  " ": () => feed.card?.togglePause(),
  l: () => feed.card?.toggleLike(),
  m: () => feed.toggleSound(),
};

addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const act = keys[event.key.length === 1 ? event.key.toLowerCase() : event.key];
  if (!act) return;
  event.preventDefault();
  if (!event.repeat) act(); // a held key is one press
});

let lastWheel = -Infinity;
addEventListener(
  "wheel",
  (event) => {
    event.preventDefault();
    const gesture = event.timeStamp - lastWheel > QUIET_MS;
    lastWheel = event.timeStamp;
    if (gesture && event.deltaY) feed.step(Math.sign(event.deltaY), "wheel");
  },
  { passive: false },
);

for (const [button, by] of [[previous, -1], [next, 1]]) {
  button.addEventListener("click", () => {
    feed.step(by, "button");
    button.blur(); // the space bar belongs to the player
  });
}

feed.start();
