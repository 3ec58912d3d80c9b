// How numbers and times are said. Knows nothing of the page.

let clock, day;
const count = new Intl.NumberFormat("en-US");

/** Say times and days as they are in a time zone: that of the watch file, wherever one looks from. */
export function sayIn(timeZone) {
  clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", timeZone });
  day = new Intl.DateTimeFormat("en-GB", { weekday: "short", day: "numeric", month: "short", timeZone });
}
sayIn("UTC");

export const number = (value) => count.format(value);

export const plural = (n, one, many = `${one}s`) => `${number(n)} ${n === 1 ? one : many}`;

export function percent(share) {
  return share.answered ? `${Math.round((100 * share.yes) / share.answered)} %` : "–";
}

// 14:05 today, else with the day
export function at(text) {
  const when = new Date(text);
  const same = day.format(when) === day.format(new Date());
  return same ? clock.format(when) : `${day.format(when)}, ${clock.format(when)}`;
}

export function span(seconds) {
  if (seconds < 60) return `${Math.max(0, Math.round(seconds))} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return minutes % 60 ? `${hours} h ${minutes % 60} min` : `${hours} h`;
  return plural(Math.floor(hours / 24), "day");
}

export function ago(text) {
  const seconds = (Date.now() - new Date(text)) / 1000;
  if (seconds < -1) return `in ${span(-seconds)}`;
  return seconds < 5 ? "now" : `${span(seconds)} ago`;
}

// Of what still goes on.
export const lasting = (text) => `for ${span((Date.now() - new Date(text)) / 1000)}`;

export function bytes(size) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  while (size >= 1024 && unit < units.length - 1) {
    size /= 1024;
    unit += 1;
  }
  return `${size.toFixed(unit > 1 && size < 100 ? 1 : 0)} ${units[unit]}`;
}

export function dollars(value) {
  return `$${value.toFixed(value && value < 1 ? 4 : 2)}`;
}

export function days(value) {
  if (value >= 3650) return "more than ten years";
  if (value >= 730) return `${Math.floor(value / 365)} years`;
  return value >= 1 ? plural(Math.floor(value), "day") : "less than a day";
}
