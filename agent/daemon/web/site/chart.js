// The curves of a study: one line an arm, windows apart, 0 to 100 % of yes.

import { draw, make } from "./elements.js";

const HEIGHT = 100;

function windows(study) {
  let first = 0;
  return ["before", "adapt", "after"].map((name) => {
    const length = study.windows[name];
    const found = { name, first, length };
    first += length;
    return found;
  }).filter((one) => one.length);
}

// Pieces of a line: it breaks where nothing is known and where a window ends.
function pieces(points, parts) {
  return parts.map(({ first, length }) =>
    points.slice(first, first + length)
      .map((share, place) => (share === null ? null : `${first + place + 0.5},${HEIGHT * (1 - share)}`))
      .filter((point) => point !== null)
      .join(" "))
    .filter((piece) => piece);
}

function shareAt(points, part) {
  const known = points.slice(part.first, part.first + part.length).filter((one) => one !== null);
  return known.length ? `${Math.round(100 * known.at(-1))} %` : null;
}

function described(study, parts) {
  const arms = study.curves.map((curve) => {
    const told = parts.map((part) => [part.name, shareAt(curve.points, part)]).filter(([, share]) => share);
    return `${curve.arm}: ${told.map((pair) => pair.join(" ")).join(", ") || "nothing yet"}`;
  });
  return `Share of yes so far. ${arms.join("; ")}.`;
}

export function chart(study) {
  const parts = windows(study);
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const lines = [0, 50, 100].map((y) => draw("line", { class: "grid", x1: 0, x2: length, y1: y, y2: y }));
  const edges = parts.slice(1).map(({ first }) => draw("line", { class: "edge", x1: first, x2: first, y1: 0, y2: HEIGHT }));
  const curves = study.curves.map((curve) =>
    pieces(curve.points, parts).map((points) => draw("polyline", { class: `curve ${curve.arm}`, points })));
  const names = parts.map((part) => {
    const name = make("span", {}, part.name);
    name.style.left = `${(100 * part.first) / length}%`;
    return name;
  });
  const svg = draw("svg", {
    viewBox: `0 0 ${length} ${HEIGHT}`, preserveAspectRatio: "none", role: "img", "aria-label": described(study, parts),
  }, lines, edges, curves);
  const ticks = ["100 %", "50 %", "0 %"].map((text) => make("span", {}, text));
  return make("div", { class: "chart" },
    make("div", { class: "ticks", "aria-hidden": "true" }, ticks),
    make("div", { class: "plot" }, make("div", { class: "windows", "aria-hidden": "true" }, names), svg));
}

// Each arm's shares, in words beside the curves.
export function legend(study) {
  const parts = windows(study);
  return make("table", { class: "legend" },
    make("thead", {}, make("tr", {}, make("th", { scope: "col" }, "arm"), make("th", { scope: "col" }, "runs"),
      parts.map((part) => make("th", { scope: "col" }, part.name)))),
    make("tbody", {}, study.curves.map((curve) => make("tr", {},
      make("th", { scope: "row" }, make("i", { class: `line ${curve.arm}` }), curve.arm),
      make("td", {}, String(curve.runs)),
      parts.map((part) => make("td", {}, shareAt(curve.points, part) ?? "–"))))));
}
