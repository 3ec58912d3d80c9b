// The pictures of tiles, many with one answer: those nearest to the middle of the window first. What
// is no more near is not asked for, so that a page that comes next never waits for it.

import { get } from "./token.js";

const MANY = 12;
const AT_ONCE = 2;
const KEPT = 1500;
const kept = new Map(); // addresses of pictures by hash, the ones used last at the end

export class TilePictures {
  constructor() {
    this.wanted = new Map();
    this.middle = 0;
    this.busy = 0;
    this.due = false;
    this.leave = new AbortController();
  }

  end() {
    this.wanted.clear();
    this.leave.abort();
  }

  drop(number) { this.wanted.delete(number); }

  want(number, frame, image) {
    if (kept.has(frame)) {
      show(image, frame);
      return;
    }
    this.wanted.set(number, { frame, image });
    if (this.due) return;
    this.due = true; // once for all tiles that come now
    setTimeout(() => { this.due = false; this.ask(); });
  }

  ask() {
    while (this.busy < AT_ONCE && this.wanted.size && !this.leave.signal.aborted) {
      const near = [...this.wanted].sort(([one], [other]) => Math.abs(one - this.middle) - Math.abs(other - this.middle)).slice(0, MANY);
      near.forEach(([number]) => this.wanted.delete(number));
      this.busy++;
      this.fetch(near.map(([, one]) => one)).finally(() => { this.busy--; this.ask(); });
    }
  }

  async fetch(many) {
    const names = [...new Set(many.map((one) => one.frame))];
    const answer = await get(`/api/pictures?frames=${names.join(",")}`, this.leave.signal);
    if (!answer.ok) return;
    const content = await answer.arrayBuffer().catch(() => null);
    if (!content) return;
    const view = new DataView(content);
    let at = 0;
    for (const name of names) {
      const length = view.getUint32(at);
      if (length) keep(name, content.slice(at + 4, at + 4 + length));
      at += 4 + length;
    }
    for (const one of many) if (kept.has(one.frame)) show(one.image, one.frame);
  }
}

function keep(frame, content) {
  kept.set(frame, URL.createObjectURL(new Blob([content], { type: "image/jpeg" })));
  if (kept.size <= KEPT) return;
  const [oldest, address] = kept.entries().next().value;
  kept.delete(oldest);
  URL.revokeObjectURL(address);
}

function show(image, frame) {
  const address = kept.get(frame);
  kept.delete(frame);
  kept.set(frame, address);
  image.src = address;
}
