// A grid of frames of any length: only the tiles near the window are there, and blocks of them are
// asked for as they come near.

import { TilePictures } from "./tile_pictures.js";
import { get } from "./token.js";

const BLOCK = 120;
const GAP = 8;
const TILE = { width: 112, ratio: 16 / 9, foot: 40 };
const AHEAD = 1.5; // windows above and below that are kept ready
const MOST_BLOCKS = 200;
const ANSWERS = { yes: "yes", no: "no", none: "no answer" };

export class FrameGrid {
  constructor(place, state) {
    this.grid = place.querySelector(".grid");
    this.result = place.querySelector(".result");
    this.narrow = place.querySelector("details.narrow");
    this.query = place.dataset.query;
    this.state = state;
    this.blocks = new Map();
    this.tiles = new Map();
    this.pictures = new TilePictures();
    this.count = 0;
    this.chosen = -1;
    this.ended = false;
    this.onscroll = () => this.place();
    this.onresize = () => { this.measure(); this.place(); };
    addEventListener("scroll", this.onscroll, { passive: true });
    addEventListener("resize", this.onresize);
    if (innerWidth < 720) this.narrow?.removeAttribute("open");
    this.blocks.set(0, Promise.resolve(JSON.parse(place.dataset.first)));
    delete place.dataset.first;
    this.begin();
  }

  end() {
    this.ended = true;
    this.pictures.end();
    removeEventListener("scroll", this.onscroll);
    removeEventListener("resize", this.onresize);
  }

  // A search that was not warm, or a folder that has grown, is asked again.
  follow(state) {
    const grown = state.rows !== this.state.rows || (state.warm && !this.state.warm && this.told?.problem);
    this.state = state;
    if (grown && scrollY < innerHeight) {
      this.blocks.clear();
      this.begin();
    }
  }

  async begin() {
    const told = await this.block(0);
    if (this.ended || !told) return;
    this.told = told;
    this.count = told.count;
    this.say(told);
    this.measure();
    this.tiles.forEach((tile, number) => { tile.remove(); this.pictures.drop(number); });
    this.tiles.clear();
    this.place();
  }

  say(told) {
    const frames = `${told.count.toLocaleString("en")} ${told.count === 1 ? "video" : "videos"}`;
    if (told.problem) this.result.textContent = `${frames}. Not looked for: ${told.problem}`;
    else if (!told.looked) this.result.textContent = told.count || !this.state.ready ? frames : "Nothing fits. Choose less.";
    else if (told.fitting === 0) this.result.textContent = "Nothing fits. The nearest come first all the same.";
    else this.result.textContent = `${told.fitting.toLocaleString("en")} stand out of ${frames}, the nearest first.`;
  }

  block(number) {
    if (!this.blocks.has(number)) {
      const asked = get(`/api/tiles?${this.query}${this.query && "&"}from=${number * BLOCK}`)
        .then((answer) => (answer.ok ? answer.json() : null));
      this.blocks.set(number, asked);
      asked.then((told) => { if (!told) this.blocks.delete(number); });
      if (this.blocks.size > MOST_BLOCKS) this.blocks.delete(this.blocks.keys().next().value);
    }
    return this.blocks.get(number);
  }

  measure() {
    const width = this.grid.clientWidth;
    this.columns = Math.max(2, Math.floor((width + GAP) / (TILE.width + GAP)));
    this.width = (width - GAP * (this.columns - 1)) / this.columns;
    this.height = this.width * TILE.ratio + TILE.foot;
    this.grid.style.height = `${Math.ceil(this.count / this.columns) * (this.height + GAP)}px`;
    this.top = this.grid.getBoundingClientRect().top + scrollY;
    for (const [number, tile] of this.tiles) this.put(tile, number);
  }

  put(tile, number) {
    tile.style.width = `${this.width}px`;
    tile.style.height = `${this.height}px`;
    tile.style.transform = `translate(${(number % this.columns) * (this.width + GAP)}px, ${Math.floor(number / this.columns) * (this.height + GAP)}px)`;
  }

  // Makes the tiles that have come near, the visible ones first, and drops those that are far.
  place() {
    if (!this.count) return;
    const row = (pixel) => Math.floor(pixel / (this.height + GAP)) * this.columns;
    const seen = scrollY - this.top;
    const first = Math.max(0, row(seen - AHEAD * innerHeight));
    const last = Math.min(this.count, row(seen + (1 + AHEAD) * innerHeight) + this.columns);
    for (const [number, tile] of this.tiles) {
      if (number < first || number >= last) {
        tile.remove();
        this.tiles.delete(number);
        this.pictures.drop(number);
      }
    }
    const middle = row(seen + innerHeight / 2);
    this.pictures.middle = middle;
    const missing = [];
    for (let number = first; number < last; number++) if (!this.tiles.has(number)) missing.push(number);
    missing.sort((one, other) => Math.abs(one - middle) - Math.abs(other - middle));
    for (const number of missing) {
      const tile = document.createElement("a");
      tile.className = "tile";
      this.put(tile, number);
      this.tiles.set(number, tile);
      this.grid.append(tile);
      this.block(Math.floor(number / BLOCK)).then((told) => {
        const one = told?.tiles[number % BLOCK];
        if (one && this.tiles.get(number) === tile) this.fill(tile, one, number);
      });
    }
  }

  fill(tile, told, number) {
    tile.href = `#/step/${encodeURIComponent(told.run)}/${told.position}`;
    tile.title = told.caption;
    tile.classList.add(told.answer);
    tile.classList.toggle("out", told.out !== "");
    tile.classList.toggle("chosen", number === this.chosen);
    if (told.frame) {
      const image = document.createElement("img");
      image.alt = told.caption;
      image.decoding = "async";
      tile.append(image);
      this.pictures.want(number, told.frame, image);
    } else {
      const none = document.createElement("i");
      none.textContent = "no frame";
      tile.append(none);
    }
    const foot = document.createElement("span");
    const answer = document.createElement("b");
    answer.textContent = told.out || told.missing || ANSWERS[told.answer];
    foot.append(answer, told.p === null ? "" : ` ${told.p.toFixed(2)}`, told.made ? " made up" : "");
    const who = document.createElement("small");
    who.textContent = told.alike === null ? `${told.persona}, ${told.phase} ${told.position}` : `${told.persona}, alike ${told.alike.toFixed(2)}`;
    foot.append(who);
    tile.append(foot);
  }

  key(event) {
    const steps = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: this.columns, ArrowUp: -this.columns };
    if (event.key === "Enter" && this.chosen >= 0 && !event.target.closest("a, button")) {
      const tile = this.tiles.get(this.chosen);
      if (tile?.href) location.hash = new URL(tile.href).hash;
      return true;
    }
    if (!(event.key in steps) || !this.count) return false;
    this.choose(this.chosen < 0 ? 0 : Math.min(this.count - 1, Math.max(0, this.chosen + steps[event.key])));
    return true;
  }

  choose(number) {
    this.tiles.get(this.chosen)?.classList.remove("chosen");
    this.chosen = number;
    const top = this.top + Math.floor(number / this.columns) * (this.height + GAP);
    if (top < scrollY + 60) scrollTo(0, top - 60);
    else if (top + this.height > scrollY + innerHeight) scrollTo(0, top + this.height - innerHeight + GAP);
    this.place();
    this.tiles.get(number)?.classList.add("chosen");
  }
}
