// What the three skins have in common: a feed that moves by one, a player per item or one for all,
// an address that follows the video, walls, and the faults that a test switches on in the query:
//
//   lag=MS[@N], ahead=MS[@N]   the address changes after, or before, the video (of place N only)
//   remake=MS[@N]              the player is made anew so long after its video became active
//   strip=NAME,...             a hook is taken out of the page      lang=de   labels are localised
//   photos=N,... pictures=N    photo posts at these places (TikTok), of so many pictures each
//   nameless=1                 what is said of one video does not name it (YouTube)
//   ads=N                      an ad of the pool is put in after place N (Instagram)
//   layout=b                   the site's other layout              nofeed=1  no item appears
//   wall=NAME[@N]              a wall, once place N is reached      deaf=1    keys do nothing
//   answered=MS                a wall goes again so much later, as if somebody had answered it
//   autoscroll=MS[@N]          the feed moves on by itself so long after a video became active
//   twice=1, disorder=1        responses come twice, or in another order
//   status, empty, broken, wait, rename, later, from, times         passed on to the server

import { Motion } from "/site/motion.js";
import { View } from "/site/watch.js";

const AHEAD = 4;
const PRELOAD = 2;
const BEHIND = 1;
const RETRY_MS = 300;
const SLOWEST_RETRY_MS = 5000;
const QUIET_MS = 120;
const DISORDER_MS = 600;
const { speed, motion } = document.documentElement.dataset;

/** The ids of what this page has shown, in order: what its requests tell the server. */
export const viewed = [];
export const ask = new URLSearchParams(location.search);
export const other = ask.get("layout") === "b";

export function inline(id) {
  return JSON.parse(document.getElementById(id).textContent);
}

export function escaped(text) {
  const span = document.createElement("span");
  span.textContent = text ?? "";
  return span.innerHTML.replaceAll('"', "&quot;");
}

export async function call(url, options = {}, more = {}) {
  const query = new URLSearchParams([...ask, ...Object.entries(more)]);
  const answer = await fetch(`${url}${url.includes("?") ? "&" : "?"}${query}`, options);
  if (!answer.ok) throw new Error(`status ${answer.status}`);
  return answer.json();
}

/** A switch with an optional place, such as 700@3. */
function timed(name) {
  const [value, place] = (ask.get(name) ?? "").split("@");
  return (at) => (value && (place === undefined || Number(place) === at) ? value : null);
}

const switches = Object.fromEntries(["lag", "ahead", "remake", "wall", "autoscroll"].map((name) => [name, timed(name)]));

/** The text of an element with its labels translated and hooks taken out, as asked for. */
function dressed(skin, html) {
  const changes = ask.get("lang") === "de" ? [...skin.german] : [];
  for (const name of (ask.get("strip") ?? "").split(",").filter(Boolean)) changes.push(...skin.hooks[name]);
  return changes.reduce((text, [from, to]) => text.replaceAll(from, to), html);
}

function element(html) {
  const template = document.createElement("template");
  template.innerHTML = html.trim();
  return template.content.firstElementChild;
}

function player() {
  const video = document.createElement("video");
  video.muted = video.loop = video.playsInline = true;
  video.preload = "auto";
  video.defaultPlaybackRate = video.playbackRate = Number(speed);
  return video;
}

function show(video, clip) {
  if (video.getAttribute("src") !== clip) video.src = clip;
  video.playbackRate = Number(speed);
}

/** Counts how long a post without a video stayed, as seconds of content at the page's speed. */
class Stay extends View {
  constructor(item) {
    super(item, { currentTime: 0, duration: 0 });
    this.began = performance.now();
  }

  tick() {
    this.watched = ((performance.now() - this.began) / 1000) * Number(speed);
    if (this.watched - this.sent >= 2 && !this.sending) this.beat();
  }
}

class Feed {
  constructor(skin) {
    this.skin = skin;
    document.body.append(element(dressed(skin, skin.shell)));
    this.scroller = document.querySelector(".feed");
    this.motion = new Motion(
      this.scroller, { smooth: motion === "smooth", speed: Number(speed) }, () => this.follow());
    this.cards = [];
    this.active = this.aim = -1;
    this.shared = skin.shared && !other ? element(skin.player) : null;
    this.shared?.append(player());
    this.addressed = -1;
    this.scroller.addEventListener("scroll", () => this.follow(), { passive: true });
    addEventListener("pagehide", () => this.view?.end("pagehide"));
  }

  begin() {
    if (ask.has("nofeed")) return;
    this.append(this.skin.first());
    this.activate(0);
    this.listen();
    this.insert();
    const tick = () => {
      this.view?.tick();
      requestAnimationFrame(tick);
    };
    tick();
  }

  listen() {
    addEventListener("keydown", (event) => {
      const by = { ArrowDown: 1, PageDown: 1, ArrowUp: -1, PageUp: -1 }[event.key];
      if (!by) return;
      event.preventDefault();
      if (!event.repeat && !ask.has("deaf")) this.step(by);
    });
    let last = -Infinity;
    this.scroller.addEventListener("wheel", (event) => {
      event.preventDefault();
      const gesture = event.timeStamp - last > QUIET_MS;
      last = event.timeStamp;
      if (gesture && event.deltaY) this.step(Math.sign(event.deltaY));
    }, { passive: false });
    const [previous, next] = document.querySelectorAll(".arrows [data-by]");
    previous.addEventListener("click", () => this.step(-1));
    next.addEventListener("click", () => this.step(1));
  }

  step(by) {
    const target = this.aim + by;
    if (this.wall?.isConnected || !this.cards[target]) return;
    this.aim = target;
    const ahead = switches.ahead(target);
    if (ahead) this.address(target);
    setTimeout(() => this.motion.to(target * this.scroller.clientHeight), ahead ?? 0);
  }

  follow() {
    const place = Math.round(this.scroller.scrollTop / this.scroller.clientHeight);
    if (place !== this.active && this.cards[place]) this.activate(place);
    if (!this.motion.moving) this.aim = this.active;
  }

  append(items) {
    for (const item of items) {
      const card = this.card(item);
      this.cards.push(card);
      this.scroller.append(card.root);
    }
  }

  card(item) {
    const root = element(dressed(this.skin, this.skin.card(item, this.cards.length)));
    root.classList.add("card");
    root.replaceChildren();
    return { item, root, video: null, ready: null };
  }

  /** Puts an item between those of the feed, further on than what is shown or about to be. */
  async insert() {
    const found = await this.skin.inserted?.(this.skin.aside());
    if (!found) return;
    const place = Math.max(found.after, this.active + PRELOAD) + 1;
    const item = found.items.find(({ id }) => this.cards.every((card) => card.item.id !== id));
    const card = this.card({ ...item, beside: true });
    this.cards[place].root.before(card.root);
    this.cards.splice(place, 0, card);
  }

  async activate(place) {
    this.view?.end("move");
    this.view = null;
    const former = this.cards[this.active];
    if (former && !this.shared) former.video?.pause();
    this.active = place;
    if (this.aim < 0) this.aim = place;
    const card = this.cards[place];
    viewed.push(card.item.id);
    this.furnish();
    this.announce(place);
    if (this.cards.length - 1 - place <= AHEAD) this.load();
    await card.ready;
    if (this.active === place) this.play(card, place);
  }

  play(card, place) {
    if (this.shared) {
      card.root.querySelector(".screen").append(this.shared);
      card.video = this.shared.querySelector("video");
      show(card.video, card.item.clip);
    }
    this.start(card);
    const remake = card.video && switches.remake(place);
    if (remake && !card.remade) setTimeout(() => this.remake(card), Number(remake));
    const itself = switches.autoscroll(place);
    if (itself) setTimeout(() => { if (this.active === place) this.step(1); }, Number(itself));
    const wall = (ask.get("wall") ?? "").includes("@") ? switches.wall(place) : place === 0 && ask.get("wall");
    if (wall) this.put(this.skin.walls[wall], card);
  }

  start(card) {
    if (card.item.beside) {  // the recommender did not choose it, and learns nothing of it
      card.video.play();
      return;
    }
    const told = { id: card.item.id, index: card.item.place, duration: card.item.seconds };
    if (!card.video) {
      this.view = new Stay(told);
      return;
    }
    card.video.play().catch((error) => {
      if (error.name !== "AbortError") throw error;
    });
    this.view = new View(told, card.video);
  }

  remake(card) {
    if (this.cards[this.active] !== card || card.remade) return;
    card.remade = true;
    this.view?.end("remake");
    const former = card.video;
    card.video = player();
    show(card.video, card.item.clip);
    former.replaceWith(card.video);
    former.removeAttribute("src");
    former.load();
    this.start(card);
  }

  announce(place) {
    if (place > 0 && switches.ahead(place)) return;
    const lag = switches.lag(place);
    if (lag) setTimeout(() => this.address(place), Number(lag));
    else this.address(place);
  }

  address(place) {
    const url = this.skin.address(this.cards[place].item);
    if (!url || place < this.addressed) return;
    this.addressed = place;
    history.replaceState(null, "", url);
  }

  /** Fills the cards near the active one and empties the others. */
  furnish() {
    this.cards.forEach((card, place) => {
      const offset = place - this.active;
      if (offset < -BEHIND || offset > PRELOAD) this.empty(card);
      else card.ready ??= this.fill(card, place);
    });
  }

  async fill(card, place) {
    if (this.skin.detail && !card.item.clip) await this.skin.detail(card.item);
    card.root.replaceChildren(...element(dressed(this.skin, this.skin.card(card.item, place))).childNodes);
    card.root.querySelector(".like")?.addEventListener("click", (event) => this.like(card, event.currentTarget));
    if (this.shared || card.item.photos) return;
    card.video = player();
    show(card.video, card.item.clip);
    card.root.querySelector(".screen").append(card.video);
  }

  empty(card) {
    if (!card.ready) return;
    card.ready = null;
    if (card.video && !this.shared) {
      card.video.removeAttribute("src");
      card.video.load();
    }
    card.video = null;
    card.root.replaceChildren();
  }

  async load() {
    if (this.loading) return;
    this.loading = true;
    const place = this.cards.at(-1).item.place + 1;
    const items = await this.fetch(place);
    if (ask.has("twice")) await this.fetch(place);
    this.append(items);
    this.skin.aside?.();
    this.loading = false;
    this.furnish();
  }

  async fetch(place) {
    const { url, ...options } = this.skin.request(place);
    for (let attempt = 0; ; attempt++) {
      try {
        if (!ask.has("disorder")) return this.skin.unpack(await call(url, options, { attempt }));
        const slow = call(url, options, { wait: DISORDER_MS });
        const after = this.skin.request(place + 12);
        const [first, second] = await Promise.all([slow, call(after.url, after)]);
        return [...this.skin.unpack(first), ...this.skin.unpack(second)];
      } catch {
        const pause = Math.min(SLOWEST_RETRY_MS, RETRY_MS * 2 ** attempt);
        await new Promise((resolve) => setTimeout(resolve, pause));
      }
    }
  }

  async like(card, button) {
    const liked = !card.liked;
    await call("/api/like", { method: "POST", body: JSON.stringify({ id: card.item.id, liked }) });
    card.liked = liked;
    const icon = button.querySelector("svg[aria-label]");
    if (icon) icon.setAttribute("aria-label", liked ? "Unlike" : "Like");
    else button.setAttribute("aria-pressed", String(liked));
  }

  /** A wall: another page, or something over this one that its buttons take away. */
  put({ to, html, shadow }, card) {
    if (to) {
      location.assign(to);
      return;
    }
    card.video?.pause();
    this.wall = element(html);
    this.wall.classList.add("wall");
    if (shadow) this.wall.attachShadow({ mode: "open" }).innerHTML = shadow;
    document.body.append(this.wall);
    const root = this.wall.shadowRoot ?? this.wall;
    if (ask.has("answered")) {
      setTimeout(() => {
        this.wall.remove();
        card.video?.play();
      }, Number(ask.get("answered")));
    }
    for (const button of root.querySelectorAll("button")) {
      button.addEventListener("click", () => {
        (document.documentElement.dataset.answered ??= button.dataset.is ?? button.textContent);
        this.wall.remove();
        card.video?.play();
      });
    }
  }
}

export function begin(skin) {
  new Feed(skin).begin();
}
