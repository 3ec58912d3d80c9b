"""What is to be known of preference pairs before use: counts, reasons, surface, figure."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, get_args

import numpy as np

from analysis.plots import BLUE, ORANGE, PURPLE, SKY, VERMILION, YELLOW, as_png, bare
from analysis.preference_pairs.style_shortcut import Shortcut, shortcut
from analysis.statistics.estimate import as_json
from analysis.terminal.runs_table import columns
from store.results.preference_pairs import ERRORS, PreferencePairs, Reason
from store.results.text_style import FEATURES
from store.runs.recorded_model_names import warn_made_up

if TYPE_CHECKING:
    from matplotlib.axes import Axes

REASONS: tuple[str, ...] = get_args(Reason)
WORDS = {
    "nothing_to_change": "nothing of that kind in the text",
    "unchanged": "no error",
    "length": "length",
    "style": "style",
    "several_errors": "several errors",
    "not_local": "too many words",
    "off_target": "more, or another, than the kind",
    "accepted_denied": "accepted text denied",
    "not_contradicted": "error not contradicted",
    "unanswered": "no answer",
}
"""Reasons as people read them."""
_COUNTED, _CHOSEN, _REJECTED, _SOFT = BLUE, BLUE, VERMILION, "0.6"
_HATCHED = (ORANGE, PURPLE, VERMILION, SKY, YELLOW, "#999999")


@dataclass(frozen=True)
class PairChecks:
    """The pairs, and what their surface gives away."""

    pairs: PreferencePairs

    @cached_property
    def shortcut(self) -> Shortcut:
        return shortcut(self.pairs.counted)

    @property
    def made_up(self) -> str:
        """Says that whoever wrote the texts does not look; empty where it does."""
        return warn_made_up(self.pairs.maker.model)

    @property
    def counts(self) -> dict[str, Counter[str]]:
        """By kind of error, how many count (``""``) and how many do not, by reason."""
        found: dict[str, Counter[str]] = {error: Counter() for error in ERRORS}
        for pair in self.pairs.pairs:
            found[pair.error][pair.reason or ""] += 1
        return found

    def as_dict(self) -> dict[str, Any]:
        surface = self.shortcut
        return {
            "file": str(self.pairs.path),
            "model": self.pairs.maker.model,
            "checker": self.pairs.maker.checker,
            "pairs": len(self.pairs.counted),
            "counts": {
                error: {name or "counted": number for name, number in count.items()}
                for error, count in self.counts.items()
            },
            "shortcut": {
                "separates": surface.separates,
                "accuracy": as_json(surface.accuracy),
                "by_error": as_json(surface.by_error),
                "differences": as_json(surface.differences),
            },
        }

    def text(self) -> str:
        counts = {error: count for error, count in self.counts.items() if count}
        rows = [
            (error, str(count[""]), str(count.total() - count[""]))
            for error, count in counts.items()
        ]
        lines = columns(("kind", "pairs", "rejected"), rows).splitlines()
        reasons = ["why", *map(_reasons, counts.values())]
        table = [f"{line}  {why}" for line, why in zip(lines, reasons, strict=True)]
        return (
            "\n".join([*([self.made_up] if self.made_up else []), *table])
            + f"\nLength and style alone find the accepted text in {self.shortcut.text()}."
        )

    def lines(self) -> list[str]:
        """The same in Markdown."""
        head = ["| kind | pairs | rejected | why |", "|---|---|---|---|"]
        rows = [
            f"| {error} | {count['']} | {count.total() - count['']} | {_reasons(count)} |"
            for error, count in self.counts.items()
        ]
        surface = self.shortcut
        warning = (
            "**This is a shortcut: a model trained on these pairs can learn length or style "
            "instead of looking.**"
            if surface.separates
            else "This is no more than chance allows."
        )
        gaps = [
            f"| {name} | {surface.accepted[:, place].mean():.3f} | "
            f"{surface.rejected[:, place].mean():.3f} |"
            for place, name in enumerate(FEATURES)
        ]
        return [
            *head,
            *rows,
            f"\nLength and surface style alone find the chosen text in {surface.text()}, on videos "
            f"that the classifier was not trained on. {warning}\n",
            "| mean of | chosen | rejected |",
            "|---|---|---|",
            *gaps,
        ]

    def figure(self) -> bytes:
        from matplotlib.figure import Figure

        drawn = Figure(figsize=(11, 8), layout="constrained")
        axes = drawn.subplots(2, 2)
        self._draw_counts(axes[0, 0])
        self._draw_lengths(axes[0, 1])
        _draw_estimates(
            axes[1, 0],
            dict(self.shortcut.differences),
            0,
            "chosen less rejected, in SD of the difference",
        )
        found = {"all": self.shortcut.accuracy} | self.shortcut.by_error
        _draw_estimates(axes[1, 1], found, 50, "accepted text found by surface alone, %")
        if self.made_up:
            drawn.suptitle(self.made_up, color=_REJECTED, fontsize=11)
        return as_png(drawn)

    def _draw_counts(self, axes: Axes) -> None:
        counts = {error: count for error, count in self.counts.items() if count}
        names = list(counts)
        left = np.zeros(len(names))
        there = ["", *(name for name in REASONS if any(c[name] for c in counts.values()))]
        for place, name in enumerate(there):
            widths = np.array([count[name] for count in counts.values()], dtype=float)
            colour = _HATCHED[(place - 1) % len(_HATCHED)] if name else _COUNTED
            axes.barh(
                names,
                widths,
                left=left,
                color=colour,
                edgecolor="white",
                label=WORDS.get(name, "pairs that count"),
            )
            left = left + widths
        axes.invert_yaxis()
        axes.set_xlabel("edits")
        axes.legend(frameon=False, fontsize=8, loc="lower center", bbox_to_anchor=(0.5, 1), ncols=3)
        bare(axes)

    def _draw_lengths(self, axes: Axes) -> None:
        chosen, rejected = self.shortcut.accepted[:, 0], self.shortcut.rejected[:, 0]
        if not len(chosen):
            axes.set_axis_off()
            return
        both = np.concatenate([chosen, rejected])
        step = max(1.0, np.ceil(np.ptp(both) / 30))
        bins = np.arange(both.min() - 0.5, both.max() + step, step).tolist()
        axes.hist(chosen, bins=bins, color=_CHOSEN, alpha=0.35, label="chosen")
        axes.hist(
            rejected, bins=bins, histtype="step", color=_REJECTED, lw=1.8, ls="--", label="rejected"
        )
        axes.set_xlabel("characters")
        axes.set_ylabel("texts")
        axes.legend(frameon=False)
        bare(axes)


def _reasons(count: Counter[str]) -> str:
    told = [f"{count[name]} {WORDS[name]}" for name in REASONS if count[name]]
    return ", ".join(told) or "–"


def _draw_estimates(axes: Axes, found: dict[str, Any], middle: float, label: str) -> None:
    """Draw estimates with their intervals around a line that means nothing."""
    for place, one in enumerate(found.values()):
        if one.bounded:
            axes.plot([one.low, one.high], [place, place], color=_CHOSEN, lw=2)
        axes.plot(one.value, place, "o", color=_CHOSEN)
    axes.axvline(middle, color=_SOFT, lw=1, ls=":")
    axes.set_yticks(range(len(found)), [name.replace("_", " ") for name in found])
    axes.invert_yaxis()
    axes.set_xlabel(label)
    bare(axes)
