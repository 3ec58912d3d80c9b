// One item as an element. Far from the active one it is empty: no video, no picture, no memory.

import { sendLike } from "./api.js";

const HUES = 6;
const compact = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });

/** A count as people read it; nothing for what has none, such as a live card. */
function counted(count) {
  return typeof count === "number" ? compact.format(count) : "";
}

export class Card {
  constructor(item, { speed, sound }) {
    this.item = item;
    this.speed = speed;
    this.sound = sound;
    this.video = null;
    this.element = document.createElement("article");
    this.element.className = "card";
    this.element.dataset.videoId = item.id;
    this.element.dataset.index = item.index;
    this.element.setAttribute("aria-label", `Video by ${item.author.nickname}`);
  }

  find(selector) {
    return this.element.querySelector(selector);
  }

  /** Gives the card its content. The video loads at once, so that it can start without a wait. */
  fill(muted) {
    if (this.video) return;
    this.element.append(document.getElementById("card").content.cloneNode(true));
    this.describe();
    this.showLike();
    this.showSound(muted);
    this.find(".sound").addEventListener("click", this.sound);
    this.find(".like").addEventListener("click", () => this.toggleLike());
    this.find(".screen").addEventListener("click", () => this.togglePause());
    this.video = this.load(muted);
    this.find(".screen").append(this.video);
  }

  /** Releases the video with its decoder, and all else. */
  empty() {
    if (!this.video) return;
    this.video.pause();
    this.video.removeAttribute("src");
    this.video.load();
    this.video = null;
    this.element.replaceChildren();
  }

  load(muted) {
    const video = document.createElement("video");
    video.muted = video.defaultMuted = muted;
    video.loop = true;
    video.playsInline = true;
    video.setAttribute("playsinline", "");
    video.preload = "auto";
    if (this.item.poster) video.poster = this.item.poster;
    video.src = this.item.video.src;
    video.playbackRate = video.defaultPlaybackRate = this.speed;
    return video;
  }

  describe() {
    const { item } = this;
    this.find(".creator b").textContent = `@${item.author.uniqueId}`;
    this.find(".caption").textContent = item.desc;
    this.find(".tags").replaceChildren(
      ...item.hashtags.map((tag) => Object.assign(document.createElement("span"), { textContent: `#${tag}` })),
    );
    this.find(".sponsored").hidden = this.find(".offer").hidden = !item.isAd;
    this.find(".live").hidden = !item.isLive;
    this.find(".progress").hidden = item.isLive;
    if (item.isLive) this.find(".viewers").textContent = `${counted(item.liveRoom.userCount)} watching`;
    const avatar = this.find(".avatar");
    avatar.textContent = item.author.nickname[0].toUpperCase();
    avatar.classList.add(`hue${[...item.author.uniqueId].reduce((sum, c) => sum + c.codePointAt(0), 0) % HUES}`);
    this.find(".comments span").textContent = counted(item.stats?.commentCount);
  }

  play() {
    this.element.classList.remove("held");
    // a play() that a quick move interrupts is no error
    this.video.play().catch((error) => {
      if (error.name !== "AbortError") throw error;
    });
  }

  stop() {
    this.element.classList.remove("held");
    this.video?.pause();
  }

  /** By the person at the page; others pause the video itself, and no sign is shown for that. */
  togglePause() {
    if (!this.video) return;
    if (this.video.paused) {
      this.play();
    } else {
      this.video.pause();
      this.element.classList.add("held");
    }
  }

  progress() {
    const { currentTime, duration } = this.video;
    const part = duration ? (currentTime / duration).toFixed(3) : 0;
    this.find(".progress i").style.transform = `scaleX(${part})`;
    const button = this.find(".sound");
    if (button.hidden && this.hasSound()) button.hidden = false;
  }

  /** Whether the clip has any sound, which a browser knows once it has played a little of it. */
  hasSound() {
    const { video } = this;
    return Boolean(video && (video.webkitAudioDecodedByteCount || video.mozHasAudio || video.audioTracks?.length));
  }

  showSound(muted) {
    this.find(".sound use").setAttribute("href", muted ? "#muted" : "#loud");
    this.find(".sound").setAttribute("aria-pressed", String(!muted));
  }

  showLike() {
    const { item } = this;
    const button = this.find(".like");
    const count = item.stats && item.stats.diggCount + (item.liked ? 1 : 0);
    button.setAttribute("aria-pressed", String(item.liked));
    button.setAttribute("aria-label", count === null ? "Like video" : `Like video, ${counted(count)} likes`);
    button.querySelector("span").textContent = counted(count);
  }

  /** The button turns only once the site has taken the like. */
  async toggleLike() {
    const liked = !this.item.liked;
    try {
      await sendLike(this.item.id, liked);
    } catch {
      return;
    }
    this.item.liked = liked;
    if (this.video) this.showLike();
  }
}
