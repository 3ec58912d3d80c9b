"""A run's summary as text for a person at a terminal."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable, Sequence

from analysis.data.before_after_windows import WindowShare
from analysis.estimators.one_run import OneRun
from analysis.statistics.estimate import Estimate, percentile_text
from analysis.statistics.null_models import NullOfI
from store.terminal.printing import count_of, share_text

Rows = list[tuple[str, str]]

_LABEL = 13
_REASONS = {
    "ad": ("ad", "ads"),
    "live": ("live card", "live cards"),
    "repeat": ("repeat", "repeats"),
    "not_shown": ("not shown", "not shown"),
    "photo": ("photo post", "photo posts"),
    "requested_before_change": (
        "requested before the change",
        "requested before the change",
    ),
}


def render(
    summary: OneRun,
    width: int = 88,
    *,
    where: str = "",
    commands: Sequence[tuple[str, str]] = (),
) -> str:
    """Lay the summary out as text, wrapped to the terminal (60 columns at least, 100 at most).

    ``where``: folder that holds the run, if it is to be told. ``commands``: what can be typed next,
    and what it does.
    """
    width = min(max(width, 60), 100)
    blocks = [
        _head(summary, width),
        _block(_shares(summary), width),
        _block(_results(summary), width),
        _block(_details(summary, where), width),
        "What one run can't show\n" + _bullets(summary.cautions, width),
    ]
    if commands:
        blocks.append("Next\n" + "\n".join(_command(*pair) for pair in commands))
    return "\n\n".join(blocks) + "\n"


def _head(summary: OneRun, width: int) -> str:
    run = summary.run
    title = f"{run.persona} on {run.platform}: {_verdict(summary)}"
    how = f"{run.strategy}, {run.model}, {run.arm} arm, run {run.run_id}"
    who = f"“{summary.traits[0]}”" if summary.traits else ""
    state = "" if run.status == "complete" else f"This run is not complete: {run.status}."
    lines = [textwrap.fill(line, width) for line in (title, who, how, state) if line]
    return "\n".join(lines)


def _verdict(summary: OneRun) -> str:
    """What happened, in one sentence that claims no more than the interval does."""
    sway = summary.sway
    if not sway.exists:
        return f"no sway to report, because there is {sway.reason}."
    moved = "rose" if sway.value > 0 else "fell"
    told = f"share of yes {moved} by {abs(sway.value):.1f} percentage points (pp)"
    if round(sway.value, 1) == 0:
        told = "share of yes stayed the same"
    shares = f"{share_text(summary.before.share, 1)} % to {share_text(summary.after.share, 1)} %"
    if not sway.bounded:
        return f"{told} ({shares})."
    ends = f"{sway.level:.0%} interval {sway.low:+.1f} to {sway.high:+.1f} pp".replace("%", " %", 1)
    zero = "" if sway.low > 0 or sway.high < 0 else ", which holds 0"
    return f"{told} ({shares}, {ends}{zero})."


def _shares(summary: OneRun) -> Rows:
    return [
        ("before", _window(summary.before)),
        ("after", _window(summary.after)),
    ]


def _window(window: WindowShare) -> str:
    if not window.judged:
        return f"nothing judged of {count_of(window.shown, 'video')} that count"
    missing = ", ".join(f"{count} {reason}" for reason, count in window.missing.items())
    return (
        f"{share_text(window.share, 1):>5} % yes   {window.yes:3d} of {window.judged:3d} videos, "
        f"{count_of(window.batches, 'batch')}" + (f"   missing: {missing}" if missing else "")
    )


def _results(summary: OneRun) -> Rows:
    rows = [("sway", f"{estimate_text(summary.sway)}"), ("", "after minus before, share of yes")]
    low, high = summary.sway_bounds
    if summary.before.unanswered + summary.after.unanswered:
        rows.append(("", f"bounds for missing answers: {low:+.1f} and {high:+.1f} pp"))
    if summary.graded.exists:
        scale = "of ISQ's score" if summary.graded_by == "score" else "of the probability of yes"
        rows.append(("graded sway", f"{estimate_text(summary.graded, 'points')}"))
        rows.append(("", f"after minus before, mean {scale}, 0 to 100"))
    rows.append(("I", estimate_text(summary.change)))
    rows.append(("", "the paper's measure: the sway as a percentage of the share before"))
    rows.append(("", _null(summary)))
    rows.append(("sensitivity", _sensitivity(summary)))
    rows += _repeats(summary)
    return rows


def _share(window: WindowShare) -> str:
    return share_text(window.share, 1) if window.judged else "–"


def _repeats(summary: OneRun) -> Rows:
    """What repeats did, if there were any: they count, and stand apart here."""
    told = summary.without_repeats
    count = told.repeats_before + told.repeats_after
    if not count:
        return []
    windows = f"{told.repeats_before} before and {told.repeats_after} after"
    shares = f"{_share(told.before)} % yes before, {_share(told.after)} % after"
    return [
        ("repeats", f"{windows}, of videos that had been shown; they count"),
        ("", f"without them {shares}: {estimate_text(told.sway).strip()}"),
    ]


def estimate_text(estimate: Estimate, unit: str = "") -> str:
    """An estimate with its interval, or with the reason why there is none."""
    unit = unit or estimate.unit
    if not estimate.exists:
        return f"none: {estimate.reason}"
    value = f"{estimate.value:+6.1f} {unit}"
    if not estimate.bounded:
        return f"{value}   no interval: {estimate.reason}"
    return f"{value}   {estimate.level:.0%} interval {estimate.low:+.1f} to {estimate.high:+.1f}"


def _null(summary: OneRun) -> str:
    null = summary.null
    if math.isnan(null.mean):
        return f"its null is not known: {null.reason}"
    quiet = f"if nothing happened{like(null)}{',' if null.null_runs else ''}"
    told = (
        f"{quiet} it would lie between {null.low:+.0f} and "
        f"{null.high:+.0f} % (mean {null.mean:+.0f} %)"
    )
    return told + place(null)


def like(null: NullOfI) -> str:
    """What the null is drawn from, where that is no model."""
    return f", as in {count_of(null.null_runs, 'null run')}" if null.null_runs else ""


def place(null: NullOfI) -> str:
    """Where the observed value lies among the drawn ones; empty where there is none."""
    if math.isnan(null.percentile):
        return ""
    if null.percentile in (0, 100):
        side = "above" if null.percentile else "below"
        return f"; this one is {side} all {null.draws} such values drawn"
    plain = ", which is unremarkable" if null.unremarkable else ""
    return f"; this one is above {percentile_text(null.percentile)} % of such values{plain}"


def _sensitivity(summary: OneRun) -> str:
    told = [
        f"{estimate.value:+.1f}" if estimate.exists else "none"
        for estimate in summary.sensitivity.values()
    ]
    counts = ", ".join(str(count) for count in summary.sensitivity)
    return f"{', '.join(told)} pp without the first {counts} batches after the change"


def _details(summary: OneRun, where: str) -> Rows:
    rows = [("watched", _dwell(summary)), ("left out", _excluded(summary))]
    faults = ", ".join(f"{count} {name}" for name, count in summary.faults.items())
    if faults or summary.resumes or summary.torn:
        resumed = _times(summary.resumes)
        torn = "a torn last line was dropped" if summary.torn else ""
        rows.append(("faults", "; ".join(part for part in (faults, resumed, torn) if part)))
    if summary.timings_ms:
        told = (f"{stage} {_duration(value)}" for stage, value in summary.timings_ms.items())
        rows.append(("a step", ", ".join(told) + " (medians)"))
    if where:
        rows.append(("kept in", where))
    return rows


def _times(resumes: int) -> str:
    if not resumes:
        return ""
    return "resumed once" if resumes == 1 else f"resumed {resumes} times"


def _dwell(summary: OneRun) -> str:
    dwell = summary.dwell
    if not (dwell.yes_count and dwell.no_count):
        only = "yes" if dwell.yes_count else "no"
        if not (dwell.yes_count or dwell.no_count):
            return "nothing was judged"
        mean = dwell.yes_mean if dwell.yes_count else dwell.no_mean
        return f"{mean:.1f} s a video; every answer was {only}"
    ratio = "" if math.isnan(dwell.ratio) else f": {dwell.ratio:.1f} times as long"
    blind = "" if dwell.decided else " (this arm's dwell is blind to the answer)"
    return f"{dwell.yes_mean:.1f} s after yes, {dwell.no_mean:.1f} s after no{ratio}{blind}"


def _excluded(summary: OneRun) -> str:
    if not summary.excluded:
        return f"none of {count_of(summary.steps, 'video')}"
    told = [f"{count} {_REASONS[reason][count != 1]}" for reason, count in summary.excluded.items()]
    return f"{', '.join(told)}, of {count_of(summary.steps, 'video')}"


def _duration(milliseconds: float) -> str:
    return f"{milliseconds / 1000:.1f} s" if milliseconds >= 1000 else f"{milliseconds:.0f} ms"


def _block(rows: Rows, width: int) -> str:
    lines = []
    for label, text in rows:
        wrapped = textwrap.wrap(text, width - _LABEL) or [""]
        kept = [text] if len(text) <= width - _LABEL else wrapped
        lines.append(f"{label:<{_LABEL}}{kept[0]}".rstrip())
        lines.extend(f"{'':<{_LABEL}}{line}" for line in kept[1:])
    return "\n".join(lines)


def _bullets(sentences: Iterable[str], width: int) -> str:
    return "\n".join(
        textwrap.fill(sentence, width, initial_indent="- ", subsequent_indent="  ")
        for sentence in sentences
    )


def _command(command: str, does: str) -> str:
    return f"  {command}\n      {does}"
