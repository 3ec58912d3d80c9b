// Two film strips that scroll as one: a chosen position is shown large, and both can be exported.

import { call, get } from "./token.js";

const LOOK_MS = 400;
const ANSWERS = { yes: "yes", no: "no", none: "no answer" };

export class StripPair {
  constructor(place, key) {
    this.root = place.querySelector(".pair");
    if (!this.root) return;
    this.picturesKey = key;
    this.columns = [...this.root.querySelectorAll("li[data-position]")];
    this.strip = this.root.querySelector(".columns");
    this.now = this.root.querySelector(".now");
    this.dialog = this.root.querySelector("dialog");
    this.making = this.root.querySelector(".making");
    this.root.addEventListener("click", (event) => this.click(event));
    this.dialog.addEventListener("keydown", (event) => event.stopPropagation()); // its keys are its own
    this.dialog.addEventListener("close", () => this.cancel());
    this.dialog.querySelector("form").addEventListener("submit", (event) => {
      if (!event.submitter?.matches("[data-make]")) return;
      event.preventDefault();
      this.make(new FormData(event.target));
    });
    // the address may have gone on since the page was asked for
    const at = new URLSearchParams(location.hash.split("?")[1]).get("at") ?? this.root.dataset.at;
    const first = this.columns.findIndex((one) => one.dataset.position === at);
    this.choose(Math.max(0, first), "instant");
  }

  end() {
    this.cancel();
  }

  follow(state) {
    this.picturesKey = state.key;
  }

  click(event) {
    const column = event.target.closest("li[data-position]");
    const move = event.target.closest("[data-move]");
    if (column) this.choose(this.columns.indexOf(column));
    else if (move) this.choose(this.chosen + Number(move.dataset.move));
    else if (event.target.closest("[data-export]")) this.dialog.showModal();
  }

  key(event) {
    if (!this.root) return false;
    const targets = { ArrowLeft: this.chosen - 1, ArrowRight: this.chosen + 1, Home: 0, End: this.columns.length - 1 };
    if (!(event.key in targets)) return false;
    this.choose(targets[event.key]);
    return true;
  }

  choose(number, behavior = "auto") {
    const at = Math.min(this.columns.length - 1, Math.max(0, number));
    this.columns[this.chosen]?.classList.remove("picked");
    this.chosen = at;
    const column = this.columns[at];
    column.classList.add("picked");
    const middle = column.offsetLeft - this.strip.offsetLeft - (this.strip.clientWidth - column.offsetWidth) / 2;
    this.strip.scrollTo({ left: middle, behavior });
    for (const name of ["a", "b"]) this.show(name, column);
    const { position } = column.dataset;
    const shared = column.classList.contains("shared") ? ", the same video in both" : "";
    const differs = column.classList.contains("differs") ? ", answers differ" : "";
    this.now.textContent = `Position ${position}${shared}${differs}`;
    const query = new URLSearchParams({ a: this.root.dataset.a, b: this.root.dataset.b, at: position });
    history.replaceState(null, "", `#/pair?${query}`);
  }

  show(name, column) {
    const player = this.root.querySelector(`[data-player=${name}]`);
    const told = column.querySelector(`[data-strip=${name}]`)?.dataset;
    const image = player.querySelector("img");
    const link = player.querySelector(".frame");
    image.hidden = !told?.whole;
    if (told?.whole) {
      image.src = told.whole;
      image.alt = told.caption;
      link.href = told.whole;
    } else {
      image.removeAttribute("src");
      link.removeAttribute("href");
    }
    const p = told?.p ? `, p(yes) ${told.p}` : "";
    player.querySelector(".where").textContent = told ? `${told.phase}, position ${column.dataset.position}${p}` : "";
    const answer = player.querySelector(".answer");
    answer.className = `answer ${told?.answer ?? "none"}`;
    const said = told && (told.said === told.answer ? ANSWERS[told.answer] : told.said);
    answer.textContent = told ? said : "no video";
    player.querySelector(".caption").textContent = told?.caption ?? "";
    const more = player.querySelector(".more");
    more.hidden = !told;
    more.href = `#/step/${encodeURIComponent(this.root.dataset[name].split("/")[0])}/${column.dataset.position}`;
  }

  // Asks for a file, follows how far it is, and has the browser keep it.
  async make(form) {
    await this.cancel();
    const query = new URLSearchParams({ a: this.root.dataset.a, b: this.root.dataset.b });
    for (const [name, value] of form) query.set(name, value);
    this.making.textContent = "Making it …";
    const answer = await call(`/api/film?${query}`, { method: "POST" });
    const told = await answer.json().catch(() => ({}));
    if (!answer.ok) {
      this.making.textContent = told.error ?? "The explorer does not answer. Type: python -m agent open";
      return;
    }
    this.film = told.film;
    this.wait(told.film);
  }

  async wait(film) {
    while (this.film === film) {
      const answer = await get(`/api/film/${film}`);
      const told = await answer.json().catch(() => ({}));
      if (this.film !== film) return;
      if (!answer.ok || told.problem) {
        this.making.textContent = told.problem ?? told.error ?? "The explorer does not answer.";
        this.film = null;
      } else if (told.ready) {
        this.film = null;
        this.making.textContent = "Made. Your browser keeps it where it keeps downloads.";
        const link = document.createElement("a");
        link.href = `/pictures/film/${film}?key=${this.picturesKey}`;
        link.download = "";
        link.click();
      } else {
        this.making.textContent = told.total ? `Making it: ${told.done} of ${told.total} frames` : "Making it …";
        await new Promise((resolve) => { setTimeout(resolve, LOOK_MS); });
      }
    }
  }

  async cancel() {
    const { film } = this;
    this.film = null;
    if (!film) return;
    this.making.textContent = "";
    await call(`/api/film/${film}/end`, { method: "POST" });
  }
}
