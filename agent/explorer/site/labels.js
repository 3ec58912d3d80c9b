// The page on which a person labels, by key or by button, and the form that draws questions.
//
// The next question comes with the answer to the last one, once that is kept. A key that is pressed
// in between answers nothing.

import { call, get } from "./token.js";

const KEYS = { y: "yes", n: "no", "?": "unsure", " ": "unsure" };

export function startLabels(place) {
  const labelling = place.querySelector(".labelling");
  if (labelling) return new Labelling(labelling);
  place.querySelector("form[data-draw]")?.addEventListener("submit", draw);
  return null;
}

async function draw(event) {
  event.preventDefault();
  const form = event.target;
  const given = new FormData(form);
  const by = given.get("by").trim();
  given.delete("by");
  const answer = await call(`/api/labels/draw?${new URLSearchParams(given)}`, { method: "POST" });
  const told = await answer.json().catch(() => ({}));
  if (answer.ok) location.hash = `#/labels/${encodeURIComponent(told.draw)}?${new URLSearchParams({ by })}`;
  else {
    const line = form.querySelector(".bad") ?? form.appendChild(document.createElement("p"));
    line.className = "bad";
    line.textContent = told.error ?? "The explorer does not answer. Type: python -m agent open";
  }
}

class Labelling {
  constructor(place) {
    this.place = place;
    this.who = { draw: place.dataset.draw, by: place.dataset.by };
    this.busy = true;
    this.card = null;
    this.last = null;
    this.ahead = [];
    place.addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (!button) return;
      if ("undo" in button.dataset) this.undo();
      else if (button.dataset.answer) this.answer(button.dataset.answer);
      button.blur(); // else the space bar presses it again
    });
    this.take(get(this.address("next")));
  }

  end() { this.over = true; }

  key(event) {
    const key = event.key.toLowerCase();
    if (event.repeat) return key in KEYS;
    if (key in KEYS) this.answer(KEYS[key]);
    else if (key === "u") this.undo();
    else return false;
    return true;
  }

  address(what, more = {}) {
    return `/api/labels/${what}?${new URLSearchParams({ ...this.who, ...more })}`;
  }

  answer(answer) {
    if (this.busy || !this.card) return;
    this.take(call(this.address("answer", { question: this.card.id, answer }), { method: "POST" }));
  }

  undo() {
    if (this.busy || !this.last) return;
    this.take(call(this.address("undo", { question: this.last }), { method: "POST" }));
  }

  async take(asked) {
    this.busy = true;
    this.place.classList.add("busy");
    const answer = await asked;
    const told = await answer.json().catch(() => ({}));
    if (this.over) return;
    this.busy = false;
    this.place.classList.remove("busy");
    if (!answer.ok) return this.fail(answer.status, told);
    this.tell(told.kept === false ? "That one was answered in another window; its answer stands." : "");
    this.last = told.agreement ? null : told.progress.last; // what is told of others closes it
    this.card = told.card;
    this.show(told);
  }

  fail(status, told) {
    const lost = status === 403 ? "This page is of an explorer that has ended." : "The explorer does not answer.";
    this.tell(told.error ?? `Not kept. ${lost} What was counted is kept. Type: python -m agent open`);
  }

  tell(sentence) { this.at(".told").textContent = sentence; }

  at(selector) { return this.place.querySelector(selector); }

  show({ progress, ahead, agreement }) {
    this.at("progress").max = progress.questions || 1;
    this.at("progress").value = progress.labelled;
    this.at(".count").textContent = `${progress.labelled} of ${progress.questions}`;
    const agreed = agreement
      ? `Agreement with ${agreement.with.join(", ")} on ${agreement.questions}: alpha ${agreement.alpha.toFixed(2)}`
      : "";
    for (const button of this.place.querySelectorAll("[data-undo]")) button.disabled = !this.last;
    this.at(".question").hidden = !this.card;
    this.at(".over").hidden = Boolean(this.card);
    if (!this.card) {
      const gone = progress.gone ? ` ${progress.gone} could not be asked: their videos were forgotten.` : "";
      this.at(".sum").textContent = `${progress.labelled} labels, ${progress.unsure} of them can't tell.${gone} ${agreed}`;
      return;
    }
    this.at(".says").replaceChildren(...this.card.traits.map((trait) => {
      const line = document.createElement("li");
      line.textContent = trait;
      return line;
    }));
    this.at(".persona").textContent = this.card.persona;
    this.at(".words").textContent = this.card.words;
    this.at(".ask").textContent = this.card.ask;
    this.at(".shown").replaceChildren(...this.card.frames.map((sha256, number) => {
      const image = this.picture(sha256);
      image.alt = `Picture ${number + 1} of the video`;
      return image;
    }));
    scrollTo(0, 0);
    this.ahead = ahead.map((sha256) => this.picture(sha256)); // fetched while this one is looked at
  }

  picture(sha256) {
    const image = new Image();
    image.src = this.place.dataset.pictures.replace("SHA256", sha256);
    return image;
  }
}
