// Counts how much of a video was played: seconds of content, whatever the playback rate.

import { sendWatch } from "./api.js";

const HEARTBEAT_S = 2;
const page = crypto.randomUUID().slice(0, 8);
let views = 0;

export class View {
  constructor(item, video) {
    this.item = item;
    this.video = video;
    this.name = `${page}-${views++}`;
    this.watched = 0;
    this.loops = 0;
    this.last = video.currentTime;
    this.sent = 0;
    this.sending = false;
  }

  /** Adds what was played since the last call; a step back is a loop. */
  tick() {
    const now = this.video.currentTime;
    const length = this.video.duration;
    if (now >= this.last) {
      this.watched += now - this.last;
    } else if (this.video.loop && length) {
      this.watched += Math.max(0, length - this.last) + now;
      this.loops += 1;
    }
    this.last = now;
    if (this.watched - this.sent >= HEARTBEAT_S && !this.sending) this.beat();
  }

  async beat() {
    this.sending = true;
    this.sent = this.watched;
    await sendWatch(this.report(null));
    this.sending = false;
  }

  /** Counts the rest and reports the whole view. */
  end(cause) {
    this.tick();
    sendWatch(this.report(cause));
  }

  report(cause) {
    return {
      id: this.item.id,
      index: this.item.index,
      view: this.name,
      watched_s: round(this.watched),
      duration_s: round(this.video.duration || this.item.duration || 0),
      loops: this.loops,
      ended_by: cause,
    };
  }
}

function round(seconds) {
  return Math.round(seconds * 1000) / 1000;
}
