// The sections of the page, each made from the status alone.

import { chart, legend } from "./chart.js";
import { make, passing, wide } from "./elements.js";
import { ago, at, bytes, days, dollars, lasting, number, percent, plural } from "./wording.js";

const PHASES = ["before", "adapt", "after"];
const SITES = { tiktok: "TikTok", youtube: "YouTube", instagram: "Instagram", playground: "The playground" };
const BAD = ["fault", "wall", "refused", "deadline", "killed"];
const TROUBLES = {
  disk: "The disk is filling up", memory: "Memory is short", clock: "The clock jumped",
  orphan: "A process was left behind", index: "The index is behind", hook: "A hook fails",
  files: "The machine opens no more files", journal: "Lines of the journal cannot be read",
};

const site = (one) => SITES[one.platform] ?? one.platform;

// A button that asks the daemon for something. `key` finds it again when its section is made anew.
function ask(text, name, what, wish, look = "") {
  return make("button", {
    type: "button", class: look, "aria-label": name, "data-ask": what, "data-wish": JSON.stringify(wish),
    "data-key": `${what} ${JSON.stringify(wish)}`,
  }, text);
}

function command(text) {
  return make("div", { class: "command" }, make("code", {}, text),
    make("button", { type: "button", class: "quiet", "data-copy": text, "data-key": `copy ${text}`, "aria-label": `Copy: ${text}` }, "Copy"));
}

// What is at the top

// A wall comes first: it stands until somebody has looked, whatever else goes on.
export function headline(status) {
  const walls = status.walls.length;
  const waits = walls ? `${plural(walls, "wall")} ${walls === 1 ? "waits" : "wait"} for you` : "";
  return [waits, state(status)].filter(Boolean).join(", ") || "Nothing to do";
}

function state(status) {
  const sentence = status.walls.length ? (words) => words.charAt(0).toLowerCase() + words.slice(1) : (words) => words;
  if (status.paused) return sentence("Everything is paused");
  const going = status.running.filter((run) => run.run_id).length;
  if (going) return `${plural(going, "run")} going on`;
  if (status.running.length) return sentence(status.running.every((run) => run.ending) ? "Finishing …" : "Starting …");
  return status.upcoming.length && !status.walls.length ? "Waiting for the next start" : "";
}

export function under(status) {
  const next = status.upcoming[0];
  const told = [
    next && !status.running.length && !status.paused ? [`${next.entry} starts `, passing(next.at, ago)] : null,
    `${plural(status.counts.videos, "video")}, ${number(status.counts.today)} today`,
    status.since ? ["up since ", passing(status.since, at)] : null,
    status.file ? status.file.split("/").at(-1) : null,
    `days and times of ${status.timezone}`,
  ].filter(Boolean);
  return told.map((one, place) => [place ? make("span", { class: "sep" }, " · ") : null, one]);
}

export function all(status) {
  return status.paused
    ? [ask("Resume everything", "Resume everything", "resume", { entry: null }, "strong")]
    : [ask("Pause everything", "Pause everything", "pause", { entry: null })];
}

// What waits for a person

function wall(one) {
  const wish = { platform: one.platform, account: one.account };
  return make("article", { class: "notice wall" },
    make("h3", {}, `${site(one)} shows ${one.saw}`),
    make("p", {}, make("b", {}, one.account), " has waited since ", passing(one.since, at),
      one.found ? `: ${one.found}. See what fails, then mend it with a newer adapter file:` :
      one.command.includes(" login ") ? ". Look at it in the account’s own window:" : ". See what it met:"),
    command(one.command),
    make("p", { class: "soft" }, "Nothing of this platform is started until you say that you have looked."),
    ask("I have looked", `I have looked at ${one.account} on ${site(one)}`, "looked", wish, "strong"));
}

const breaker = (one) => make("article", { class: "notice" },
  make("h3", {}, `${site(one)} failed ${plural(one.failures, "time")} in a row`),
  make("p", {}, one.reason || "No reason was told."),
  make("p", { class: "soft" }, "Nothing of it is started for now. To try at once, retry an entry of it below."));

const trouble = (one) => make("article", { class: "notice" },
  make("h3", {}, TROUBLES[one.trouble] ?? one.trouble), make("p", {}, one.detail || "No more is known."));

const refused = (problem) => make("article", { class: "notice" },
  make("h3", {}, "The changed watch file was refused"), make("p", {}, problem),
  make("p", { class: "soft" }, "What was there before goes on. Mend the file: it is taken up by itself."));

function unreadable(lines, all) {
  const asked = [...new Set(lines.map((one) => one.command))];
  return make("article", { class: "notice" },
    make("h3", {}, `${plural(all, "line")} cannot be read`),
    lines.slice(0, 5).map((one) => make("p", {}, make("b", {}, `${one.file}:${one.line}`), ` ${one.problem}`)),
    make("p", { class: "soft" }, "All else is read, and shown below."), asked.map(command));
}

const changed = (one) => make("article", { class: "notice" },
  make("h3", {}, `${site(one)}${one.skin ? " (skin)" : ""} is not as its adapter knows it`),
  make("p", {}, one.fails.join("; "), ", seen ", passing(one.at, at)),
  command(`python -m agent doctor --platform ${one.platform}`));

export function attention(status) {
  const waiting = status.walls.filter((one) => one.found).map((one) => one.platform);
  const failing = status.sites.filter((one) => one.fails.length && !waiting.includes(one.platform));
  return [
    ...status.walls.map(wall), ...failing.map(changed), ...status.breakers.map(breaker), ...status.troubles.map(trouble),
    ...(status.file_problem ? [refused(status.file_problem)] : []),
    ...(status.unreadable.length ? [unreadable(status.unreadable, status.counts.unreadable)] : []),
  ];
}

// What goes on

function answered(last) {
  const word = last.answer ?? last.excluded ?? last.missing ?? "missing";
  const known = last.p_yes !== null && last.answer;
  return make("div", { class: "answer" },
    make("span", { class: `word ${last.answer ?? "none"}` }, word),
    known ? make("span", { class: "p" },
      make("span", { class: "meter", "aria-hidden": "true" }, wide(make("i"), last.p_yes)),
      make("span", { class: "soft" }, `p(yes) ${last.p_yes.toFixed(2)}`)) : null);
}

function progress(run) {
  const { windows, shares, eligible } = run;
  const total = PHASES.reduce((sum, phase) => sum + windows[phase], 0);
  let left = eligible;
  const bars = PHASES.filter((phase) => windows[phase]).map((phase) => {
    const done = Math.min(left, windows[phase]);
    left -= done;
    const bar = make("div", { class: `bar ${phase}` }, wide(make("i"), done / windows[phase]));
    bar.style.flexGrow = windows[phase];
    return bar;
  });
  const told = PHASES.filter((phase) => shares[phase]?.answered).map((phase) => make("div", {},
    make("dt", {}, `yes, ${phase}`), make("dd", {}, percent(shares[phase]), make("small", {}, ` of ${shares[phase].answered}`))));
  return make("div", { class: "progress" },
    make("dl", { class: "shares", "aria-label": "Share of yes" }, told.length ? told
      : make("div", {}, make("dt", {}, "share of yes"), make("dd", {}, "–"))),
    make("div", { class: "bars", role: "progressbar", "aria-valuemin": 0, "aria-valuemax": total,
      "aria-valuenow": eligible, "aria-label": `${run.persona}: videos watched` }, bars),
    make("p", { class: "soft small" }, `${eligible} of ${plural(total, "video")}`));
}

function run(one) {
  if (!one.run_id) return make("article", { class: "card run starting" },
    make("div", { class: "frame none" }), make("div", { class: "body" }, make("h3", {}, one.entry),
      make("p", { class: "soft" }, one.ending ? "has ended its run and tidies up …" : "is starting its browser …")));
  const last = one.last;
  const caption = last?.caption ?? "";
  const frame = last?.frame
    ? make("img", { class: "frame", "data-frame": last.frame, alt: `Last video of ${one.persona}: ${caption || "no caption"}` })
    : make("div", { class: "frame none" });
  return make("article", { class: "card run", "aria-label": `${one.persona} on ${one.platform}, ${one.arm}` },
    frame,
    make("div", { class: "body" },
      make("p", { class: "kicker" }, one.entry ?? "started by hand", make("span", { class: "sep" }, " · "), one.platform),
      make("h3", {}, one.persona, " ", make("span", { class: `tag ${one.arm}` }, one.arm)),
      make("p", { class: "trait" }, `“${one.trait}”`),
      last ? answered(last) : make("p", { class: "soft" }, "has seen nothing yet"),
      caption ? make("p", { class: "caption" }, caption) : null),
    progress(one));
}

export function now(status) {
  if (status.running.length) return status.running.map(run);
  const next = status.upcoming[0];
  return [make("p", { class: "empty" }, status.paused
    ? "Everything is paused. What was interrupted goes on where it stopped."
    : next ? ["Nothing is running. ", make("b", {}, next.entry), " starts ", passing(next.at, ago), ", at ", passing(next.at, at), "."]
      : "Nothing is running, and nothing is to be started.")];
}

// What is watched

function outcome(last) {
  if (!last) return make("span", { class: "soft" }, "has not run yet");
  const word = last.outcome ?? "running";
  const tries = last.attempts > 1 ? `, attempt ${last.attempts}` : "";
  const say = last.outcome ? ago : lasting;
  return [make("span", { class: `mark ${word}` }, word), " ", last.at ? passing(last.at, say) : "", tries];
}

// What is due and not started waits for its turn, a wall, quiet hours, ...
const coming = (next) => (new Date(next) < Date.now() ? ["due since ", passing(next, at)]
  : ["next ", passing(next, ago), make("small", {}, " at ", passing(next, at))]);

function entry(one, status) {
  const retry = BAD.includes(one.last?.outcome) && !one.running;
  const state = one.paused ? "paused" : status.paused ? "paused with everything" : one.running ? "running"
    : one.next ? coming(one.next) : "no start to come";
  return make("article", { class: "entry", "aria-label": one.name },
    make("div", {}, make("h3", {}, one.name), make("p", { class: "soft" }, state)),
    make("p", { class: "outcome" }, outcome(one.last), one.last?.reason ? make("small", {}, one.last.reason) : null),
    make("div", { class: "acts" },
      retry ? ask("Retry", `Retry ${one.name}`, "retry", { entry: one.name }) : null,
      one.running ? null : ask("Run now", `Run ${one.name} now`, "run-now", { entry: one.name }),
      one.paused ? ask("Resume", `Resume ${one.name}`, "resume", { entry: one.name }, "strong")
        : ask("Pause", `Pause ${one.name}`, "pause", { entry: one.name })));
}

export function entries(status) {
  if (!status.entries.length) return [make("p", { class: "empty" }, "The watch file has no entry yet. Write one, and it is taken up by itself.")];
  return status.entries.map((one) => entry(one, status));
}

// What came of it

export const studies = (status) => status.studies.map((study) => make("article", { class: "card study" },
  make("h3", {}, study.name),
  make("p", { class: "soft small" }, `${study.complete} of ${plural(study.cells, "run")} complete, `
    + `${number(study.videos)} of ${plural(study.total, "video")}`),
  chart(study), legend(study)));

export function failures(status) {
  if (!status.failures.length) return [make("p", { class: "empty" }, "Nothing so far.")];
  return status.failures.map((one) => make("p", { class: "failure" },
    passing(one.at, at), make("span", {}, make("b", {}, one.entry), " ", make("span", { class: `mark ${one.outcome}` }, one.outcome)),
    make("span", { class: "soft" }, one.reason || "no reason is known")));
}

export function machine(status) {
  const { machine: disk, cost, counts } = status;
  const lasts = disk.days_left === null ? "nothing was kept in the last seven days"
    : `lasts ${days(disk.days_left)} at the rate of the last seven days`;
  const unpriced = cost.unpriced_calls ? `, and ${plural(cost.unpriced_calls, "call")} without a known price` : "";
  const rows = [
    ["Disk", `${bytes(disk.free)} free`, `${bytes(disk.used)} used; ${lasts}`],
    ["Models", dollars(cost.total_usd), `${dollars(cost.today_usd)} today${unpriced}`],
    ["Runs", number(counts.runs), `${number(counts.complete)} complete${counts.damaged ? `, ${counts.damaged} cannot be read` : ""}`],
    ["Videos", number(counts.videos), `${number(counts.today)} today`],
  ];
  return rows.map(([name, value, more]) => make("div", {}, make("dt", {}, name), make("dd", {}, value, make("small", {}, more))));
}
