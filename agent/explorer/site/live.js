// What each run sees now: asked for every second, and only what has changed is changed on the page.

import { get } from "./token.js";

const AGAIN_MS = 1000;
const WINDOWS = ["before", "adapt", "after"];
const ANSWERS = { yes: "yes", no: "no", none: "no answer" };

const set = (place, text) => { if (place.textContent !== text) place.textContent = text; };

function seconds(count) {
  if (count < 90) return `${Math.round(count)} s`;
  return count < 5400 ? `${Math.round(count / 60)} min` : `${Math.round(count / 3600)} h`;
}

export class LivePage {
  constructor(place, key) {
    this.picturesKey = key;
    this.under = place.querySelector(".live-under");
    this.list = place.querySelector(".live");
    this.template = place.querySelector("#live-run");
    this.cards = new Map();
    this.ended = false;
    this.look();
  }

  end() {
    this.ended = true;
  }

  follow(state) {
    this.picturesKey = state.key;
  }

  async look() {
    const answer = await get("/api/live");
    if (this.ended) return;
    if (answer.ok) this.show(await answer.json());
    setTimeout(() => this.ended || this.look(), AGAIN_MS);
  }

  show(told) {
    const running = new Set(told.runs.map((one) => one.run));
    for (const [run, card] of this.cards) {
      if (running.has(run)) continue;
      card.remove();
      this.cards.delete(run);
    }
    for (const one of told.runs) this.fill(this.card(one.run), one);
    this.say(told);
  }

  say(told) {
    const count = told.runs.length;
    const text = count ? `${count} ${count === 1 ? "run is" : "runs are"} going on.` : "Nothing is running. Type: python -m agent run --persona p12";
    if (this.under.dataset.text === `${text}${told.daemon}`) return;
    this.under.dataset.text = `${text}${told.daemon}`;
    this.under.replaceChildren(text);
    if (!told.daemon) return;
    const link = document.createElement("a");
    link.href = told.daemon;
    link.target = "_blank";
    link.rel = "noopener";
    link.textContent = "The daemon’s page";
    this.under.append(" ", link);
  }

  card(run) {
    if (!this.cards.has(run)) {
      const card = this.template.content.cloneNode(true).firstElementChild;
      card.querySelector(".live-who").href = `#/run/${encodeURIComponent(run)}`;
      this.cards.set(run, card);
      this.list.append(card);
    }
    return this.cards.get(run);
  }

  fill(card, told) {
    const find = (name) => card.querySelector(`.live-${name}`);
    const { video } = told;
    set(find("where"), [told.arm, told.judge, told.platform, told.study].filter(Boolean).join(" · "));
    set(find("who"), `${told.persona} on ${told.platform}`);
    set(find("trait"), told.trait);
    const marks = find("marks");
    if (marks.childElementCount !== told.marks.length) {
      marks.replaceChildren(...told.marks.flatMap((mark) => {
        const badge = document.createElement("span");
        badge.className = "badge";
        badge.textContent = mark;
        return [badge, " "];
      }));
    }
    const answer = find("answer");
    answer.className = `answer live-answer ${video?.answer ?? "waiting"}`;
    const p = video?.p_yes == null ? "" : `, p(yes) ${video.p_yes.toFixed(2)}`;
    set(answer, video ? `${video.excluded ? `does not count: ${video.excluded}` : video.missing || ANSWERS[video.answer]}${p}` : "no video yet");
    set(find("caption"), video?.caption ?? "");
    set(find("reason"), video?.reason ?? "");
    const fault = find("fault");
    fault.hidden = !told.fault;
    set(fault, told.fault ? `${told.fault.name}: ${told.fault.told}` : "");
    this.windows(find("windows"), told);
    const doing = video ? (video.acting ? "; the hands act on it" : "") : "";
    set(find("ago"), video ? `Position ${video.position}, ${video.phase}, ${seconds(told.ago_s)} ago${doing}` : `Started ${seconds(told.ago_s)} ago`);
    find("frame").href = video ? `#/step/${encodeURIComponent(told.run)}/${video.position}` : `#/run/${encodeURIComponent(told.run)}`;
    this.picture(find("frame"), video?.frame, video?.caption ?? "");
  }

  windows(place, told) {
    let before = 0;
    for (const name of WINDOWS) {
      const size = told.windows[name] ?? 0;
      if (!size) continue;
      const done = Math.min(size, Math.max(0, told.eligible - before));
      before += size;
      let line = place.querySelector(`[data-window=${name}]`);
      if (!line) {
        line = document.createElement("div");
        line.className = "live-window";
        line.dataset.window = name;
        const track = document.createElement("span");
        track.className = "track";
        const fill = document.createElement("span");
        fill.className = "fill";
        track.append(fill);
        const said = document.createElement("span");
        said.className = "soft";
        line.append(name, track, said);
        place.append(line);
      }
      line.querySelector(".fill").style.width = `${(100 * done) / size}%`;
      const [yes, answered] = told.shares[name] ?? [0, 0];
      const share = answered ? `, yes ${yes} of ${answered}` : "";
      set(line.querySelector(".soft"), `${done} of ${size}${share}`);
    }
  }

  // The next frame takes the place of the last once it is decoded, so that nothing blinks.
  async picture(place, frame, caption) {
    if (!frame || !this.picturesKey || place.dataset.frame === frame) return;
    place.dataset.frame = frame;
    const next = new Image();
    next.src = `/pictures/whole/${frame}.jpg?key=${this.picturesKey}`;
    next.alt = caption;
    const isThere = await next.decode().then(() => true, () => false);
    if (place.dataset.frame !== frame) return;
    if (isThere) place.querySelector("img").replaceWith(next);
    else delete place.dataset.frame;
  }
}
