// Makes elements: text is always text, and never markup.

const SVG = "http://www.w3.org/2000/svg";

function filled(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value);
  }
  element.append(...children.flat(9).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

export const make = (name, attributes = {}, ...children) =>
  filled(document.createElement(name), attributes, children);

export const draw = (name, attributes = {}, ...children) =>
  filled(document.createElementNS(SVG, name), attributes, children);

// A time that is told anew as it passes; page.js sees to that.
export const passing = (text, say) =>
  make("time", { datetime: text, "data-say": say.name, title: new Date(text).toLocaleString() }, say(text));

// Widths come from data; the policy of the page allows no style in markup.
export function wide(element, share) {
  element.style.width = `${100 * Math.min(1, Math.max(0, share))}%`;
  return element;
}
