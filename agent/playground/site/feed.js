// The feed: which item is active, what lies around it, and when more is fetched.

import { Refused, fetchFeed } from "./api.js";
import { Card } from "./card.js";
import { Motion } from "./motion.js";
import { View } from "./watch.js";

const AHEAD = 4; // fetch when this many items follow the active one
const PRELOAD = 2;
const BEHIND = 1;
const RETRY_MS = 1000;

export class Feed {
  constructor(scroller, options) {
    this.scroller = scroller;
    this.motion = new Motion(scroller, options, () => this.follow());
    this.options = { speed: options.speed, sound: () => this.toggleSound() };
    this.onchange = options.onchange;
    this.cards = [];
    this.active = -1;
    this.view = null;
    this.muted = true;
    this.loading = false;
    this.more = true;
    this.waiting = null; // cause of a move that waits for its item
    scroller.addEventListener("scroll", () => this.follow(), { passive: true });
    addEventListener("resize", () => this.motion.moving || this.align());
    addEventListener("pagehide", () => this.leave("pagehide"));
  }

  async start() {
    await this.load();
    if (this.cards.length) this.activate(0, "start");
    requestAnimationFrame(() => this.tick());
  }

  get card() {
    return this.cards[this.active];
  }

  /** Moves by exactly one item. Where the next one is still being fetched, one move waits. */
  step(by, cause) {
    const target = this.active + by;
    if (target < 0) return;
    if (this.cards[target]) this.activate(target, cause);
    else if (this.more) {
      this.waiting = cause;
      return;
    }
    this.motion.to(target * this.scroller.clientHeight);
  }

  activate(target, cause) {
    if (target === this.active) return;
    this.leave(cause);
    if (this.card) {
      this.card.stop();
      delete this.card.element.dataset.active;
    }
    this.active = target;
    this.furnish();
    const { card } = this;
    card.element.dataset.active = "true";
    if (card.video.currentTime) card.video.currentTime = 0; // seeking is slow, even to where one is
    this.view = new View(card.item, card.video);
    card.play();
    history.replaceState(null, "", card.item.url);
    this.onchange(this);
    if (this.cards.length - 1 - target <= AHEAD) this.load();
  }

  /** Fills the cards near the active one and empties the others. */
  furnish() {
    this.cards.forEach((card, place) => {
      const offset = place - this.active;
      if (offset >= -BEHIND && offset <= PRELOAD) card.fill(this.muted);
      else card.empty();
    });
  }

  leave(cause) {
    this.view?.end(cause);
    this.view = null;
  }

  async load() {
    if (this.loading || !this.more) return;
    this.loading = true;
    try {
      const last = this.cards.at(-1);
      const told = await fetchFeed(last ? last.item.index + 1 : null);
      for (const item of told.items) this.append(item);
      this.more = told.has_more && told.items.length > 0;
      if (!this.more) this.scroller.append(document.getElementById("end").content.cloneNode(true));
      notice("");
    } catch (error) {
      if (error instanceof Refused) this.more = false;
      else setTimeout(() => this.load(), RETRY_MS);
      notice(error instanceof Refused ? error.message : "Connection lost. Trying again");
    } finally {
      this.loading = false;
    }
    if (this.active >= 0) this.furnish();
    this.onchange(this);
    const cause = this.waiting;
    this.waiting = null;
    if (cause) this.step(1, cause);
  }

  append(item) {
    const card = new Card(item, this.options);
    this.cards.push(card);
    this.scroller.append(card.element);
  }

  /** A scroll that the page did not make itself: touch, or a script. */
  follow() {
    if (this.motion.moving) return;
    const place = Math.round(this.scroller.scrollTop / this.scroller.clientHeight);
    if (this.cards[place]) this.activate(place, "scroll");
  }

  align() {
    this.scroller.scrollTop = Math.max(0, this.active) * this.scroller.clientHeight;
  }

  tick() {
    if (this.view) {
      this.view.tick();
      this.card.progress();
      const hint = document.getElementById("sound-key");
      hint.hidden = !this.card.hasSound();
    }
    requestAnimationFrame(() => this.tick());
  }

  toggleSound() {
    if (!this.card?.hasSound()) return;
    this.muted = !this.muted;
    for (const card of this.cards.filter(({ video }) => video)) {
      card.video.muted = this.muted;
      card.showSound(this.muted);
    }
  }
}

function notice(text) {
  const element = document.getElementById("notice");
  element.textContent = text;
  element.hidden = !text;
}
