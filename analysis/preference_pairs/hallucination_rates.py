"""How often a model holds a false statement about a frame true, by what is false in it.

Pairs of statements differ in an object, an attribute or a relation; the rates are over pairs, their
intervals over videos. A choice is put in both orders and a statement both ways round, so a model
that always says the same is wrong half of the time, and is told as such.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from analysis.spectrum.scores import profile
from analysis.statistics.estimate import NAN, Estimate, Floats, as_json
from analysis.terminal.runs_table import columns
from store.results.hallucination_probes import ProbeQuestion, Probes
from store.results.preference_pairs import LEVELS, PreferencePair, PreferencePairs
from store.results.text_style import words
from store.runs.ledger_lines import Judgement
from store.runs.recorded_model_names import warn_made_up

SAYER = 90.0  # per cent of yes, where half are right, from which a model counts as a yes-sayer
_DENIES = frozenset(("no", "not", "without", "instead", "than", "isn't", "never"))
_REACH = 3  # words before a name within which a denial belongs to it


@dataclass(frozen=True)
class Example:
    """A pair of which the model chose the false statement at least once."""

    pair: PreferencePair
    wrong: float  # share of the choices between the two that were wrong
    reason: str | None
    names: tuple[str, ...]  # what its reason names that is not in the frame


@dataclass(frozen=True)
class Level:
    """One kind of error, all figures in %."""

    choice: Estimate
    """Share of choices, in both orders, that took the false statement: the misalignment rate."""
    statements: Estimate
    """Share of wrong answers about single statements, true and false, asked both ways round."""
    accepts: Estimate  # share of false statements that were held true, asked plainly
    invents: Estimate  # share of reasons that name something that was found not to be in the frame
    pairs: int  # how many pairs there are


@dataclass(frozen=True)
class Misalignment:
    """What one model gets wrong."""

    model: str
    levels: dict[str, Level]
    yes: Estimate  # share of yes, in %, among answers of which half should be yes
    first: Estimate  # share of choices, in %, that took what came first; half should
    missing: Counter[str]
    examples: tuple[Example, ...]
    made_up: str = ""
    """Says that a model which wrote the statements, or answered, does not look."""

    @property
    def tendency(self) -> str:
        if not self.yes.exists:
            return "gave no answer about single statements"
        low = self.yes.low if self.yes.bounded else self.yes.value
        high = self.yes.high if self.yes.bounded else self.yes.value
        if max(self.yes.value, 100 - self.yes.value) >= SAYER:
            word = "yes" if self.yes.value > 50 else "no"
            return f"a {word}-sayer: what it says about single statements tells nothing of them"
        if low > 50:
            return "tends to yes"
        return "tends to no" if high < 50 else "even-handed"

    def as_dict(self) -> dict[str, Any]:
        return {
            "model": self.model,
            "levels": {name: as_json(level) for name, level in self.levels.items()},
            "yes": as_json(self.yes),
            "first": as_json(self.first),
            "tendency": self.tendency,
            "missing": dict(self.missing),
            "made_up": self.made_up,
        }

    def text(self) -> str:
        head = (
            "level",
            "pairs",
            "wrong choice %",
            "wrong on one %",
            "false held true %",
            "reason invents %",
        )
        rows = [
            (
                name,
                str(level.pairs),
                *map(_cell, (level.choice, level.statements, level.accepts, level.invents)),
            )
            for name, level in self.levels.items()
        ]
        head_line = f"{self.model}\n{self.made_up}" if self.made_up else self.model
        lost = ", ".join(f"{count} {why}" for why, count in self.missing.items()) or "none"
        return (
            f"{head_line}\n{columns(head, rows, left=1)}\n"
            f"says yes to {_cell(self.yes)} % where half should be: {self.tendency}\n"
            f"takes the first of two in {_cell(self.first)} %; 50 % is even\n"
            f"missing answers: {lost}"
        )


def misalignment(pairs: PreferencePairs, probes: Probes) -> Misalignment:
    items = [pair for pair in pairs.counted if pair.error in LEVELS]
    members = np.array([[pair.error == level for level in LEVELS] for pair in items])
    cluster = np.unique([pair.source.cluster for pair in items], return_inverse=True)[1]
    grid = _Grid(probes.said, items)
    reasons = [
        probes.said.get(_question(pair, "reason", 0, turned))
        for pair in items
        for turned in (False, True)
    ]
    told = [first or second for first, second in zip(reasons[::2], reasons[1::2], strict=True)]
    named = _named(items, pairs, told)
    invents = np.array([NAN if each is None else float(bool(each)) for each in named])
    rates = {
        "choice": 1 - grid.mean("choice"),
        "statements": grid.wrong(),
        "accepts": grid.accepts(),
        "invents": invents,
    }
    by_level = {name: profile(values, members, cluster).scores for name, values in rates.items()}
    everything = np.ones((len(items), 1), dtype=bool)
    yes, first = (
        profile(values, everything, cluster).scores[0] for values in (grid.yes(), grid.first())
    )
    levels: dict[str, Level] = {
        level: Level(
            **{name: scores[place] for name, scores in by_level.items()},
            pairs=int(members[:, place].sum()),
        )
        for place, level in enumerate(LEVELS)
    }
    return Misalignment(
        model=probes.prober.model,
        levels=levels,
        yes=yes,
        first=first,
        missing=Counter(str(said.missing) for said in probes.said.values() if said.missing),
        examples=_examples(items, rates["choice"], told, named),
        made_up=warn_made_up(pairs.maker.model, probes.prober.model),
    )


class _Grid:
    """Answers about pairs: 1 where the model holds the statement true, shape ``(pairs,)`` each."""

    def __init__(
        self, said: dict[ProbeQuestion, Judgement], items: Sequence[PreferencePair]
    ) -> None:
        self._said = said
        self._items = items

    def answers(self, form: str, which: int, *, mirrored: bool) -> Floats:
        found = [self._said.get(_question(pair, form, which, mirrored)) for pair in self._items]
        return np.array(
            [
                NAN if each is None or each.answer is None else each.answer == "yes"
                for each in found
            ],
            dtype=float,
        )

    def mean(self, form: str) -> Floats:
        return _mean([self.answers(form, 0, mirrored=turned) for turned in (False, True)])

    def wrong(self) -> Floats:
        """Share of wrong answers about the two statements, asked both ways round."""
        sides = [
            1 - answers if which == 0 else answers
            for which in (0, 1)
            for answers in (self.answers("statement", which, mirrored=m) for m in (False, True))
        ]
        return _mean(sides)

    def accepts(self) -> Floats:
        return self.answers("statement", 1, mirrored=False)

    def yes(self) -> Floats:
        """Share of yes as it was said; asked the other way round, that is what is read as no."""
        said = [
            1 - answers if mirrored else answers
            for mirrored in (False, True)
            for answers in (self.answers("statement", which, mirrored=mirrored) for which in (0, 1))
        ]
        return _mean(said, whole=True)

    def first(self) -> Floats:
        plain, turned = (self.answers("choice", 0, mirrored=turned) for turned in (False, True))
        return _mean([plain, 1 - turned], whole=True)


def _question(pair: PreferencePair, form: str, which: int, mirrored: bool) -> ProbeQuestion:
    other = "" if form == "statement" else pair.statements[1]
    return ProbeQuestion.model_validate(
        {
            "frame": pair.source.frame,
            "form": form,
            "statement": pair.statements[which],
            "other": other,
            "mirrored": mirrored,
        }
    )


def _mean(sides: Sequence[Floats], *, whole: bool = False) -> Floats:
    """Mean of what there is for each pair; with ``whole``, of pairs with every answer."""
    stack = np.stack(sides)
    known = ~np.isnan(stack)
    with np.errstate(invalid="ignore"):
        means: Floats = np.nan_to_num(stack).sum(axis=0) / known.sum(axis=0)
    return np.where(known.all(axis=0), means, NAN) if whole else means


def _named(
    items: Sequence[PreferencePair], pairs: PreferencePairs, told: Sequence[Judgement | None]
) -> list[tuple[str, ...] | None]:
    """What each reason names that was swapped into a text of this frame and is in none that holds.

    ``None`` where there is no reason.
    """
    absent: dict[str, set[str]] = {}
    there: dict[str, set[str]] = {}
    for pair in pairs.counted:
        absent.setdefault(pair.source.frame, set()).update(_low(pair.swapped[1]))
        there.setdefault(pair.source.frame, set()).update(_low(pair.accepted))
    found: list[tuple[str, ...] | None] = []
    for pair, said in zip(items, told, strict=True):
        frame = pair.source.frame
        if said is None or not said.reason:
            found.append(None)
        else:
            found.append(tuple(_mentioned(said.reason, absent[frame] - there[frame])))
    return found


def _mentioned(reason: str, names: set[str]) -> list[str]:
    """Names that a reason says are there; one that it denies is none."""
    said = _low(reason)
    return [
        word
        for place, word in enumerate(said)
        if word in names and not _DENIES.intersection(said[max(0, place - _REACH) : place])
    ]


def _low(text: str) -> list[str]:
    return [re.sub(r"(?<=\w{3})s$", "", word.lower()) for word in words(text)]


def _examples(
    items: Sequence[PreferencePair],
    wrong: Floats,
    told: Sequence[Judgement | None],
    named: Sequence[tuple[str, ...] | None],
) -> tuple[Example, ...]:
    found = [
        Example(pair, float(share), said.reason if said else None, names or ())
        for pair, share, said, names in zip(items, wrong, told, named, strict=True)
        if share > 0
    ]
    return tuple(sorted(found, key=lambda each: (-each.wrong, each.pair.name)))


def _cell(one: Estimate) -> str:
    if not one.exists:
        return "–"
    ends = f" ({one.low:.0f} to {one.high:.0f})" if one.bounded else ""
    return f"{one.value:.0f}{ends}"
