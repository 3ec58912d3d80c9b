"""How a judge answers the same question put in other ways: what a study's figures rest on.

About each video one persona that it fits and one that it does not are asked: plainly, again, the
opposite (or the questionnaire's items backwards), in every other wording, and about the same frame
with words on it that order an answer or order nothing. Answers that are missing on one side of a
comparison are left out of it. Refuses to say what a good figure is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from agent.benchmarks.asking import GridAnswers, GridCell, Told, ask
from agent.benchmarks.exhibits import Exhibit
from agent.benchmarks.orders import ORDERS, Order, with_words
from agent.benchmarks.shares import Grid, MeasuredShare, mean, share
from agent.judge.judge import ModelJudge, QuestionForm
from agent.models.base import Model
from personas import strategies
from personas.persona import Persona


@dataclass(frozen=True)
class Measure:
    """One figure with its interval, in a unit of its own."""

    name: str
    figure: MeasuredShare
    unit: str = "share"
    """``share`` from 0 to 1, ``lean`` from -1 to 1, or ``points`` of S%."""


@dataclass(frozen=True)
class Panel:
    """Who is asked about what, through which model."""

    model: Model
    strategy: str
    personas: Sequence[Persona]
    exhibits: Sequence[Exhibit]

    @property
    def kind(self) -> Literal["choice", "isq"]:
        """What sort of reply the strategy asks for."""
        return "isq" if self.strategy == "isq" else "choice"

    @property
    def fits(self) -> NDArray[np.bool_]:
        """Whether each persona's planted themes hold each video's."""
        themes = np.array([exhibit.theme for exhibit in self.exhibits])
        return np.array([np.isin(themes, persona.themes) for persona in self.personas])

    def judges(self, manner: QuestionForm | None = None) -> list[ModelJudge]:
        """Each persona's judge."""
        return [
            ModelJudge.of(self.model, self.strategy, persona, manner) for persona in self.personas
        ]

    def pairs(self, rng: np.random.Generator) -> list[GridCell]:
        """Draw for each video one persona that it fits and one that it does not, if there are."""
        return [
            GridCell(int(rng.choice(np.flatnonzero(side))), video)
            for video, column in enumerate(self.fits.T)
            for side in (column, ~column)
            if side.any()
        ]


async def probe(panel: Panel, rng: np.random.Generator, told: Told) -> list[Measure]:
    """Ask in every way, and compare.

    Parameters
    ----------
    told
        Progress, over all ways.
    """
    pairs = panel.pairs(rng)
    wordings = range(1, strategies.paraphrases(panel.strategy))
    ways = 6 + len(wordings)
    done = 0

    async def put(
        manner: QuestionForm, exhibits: Sequence[Exhibit], repeat: int = 0
    ) -> GridAnswers:
        nonlocal done
        before = done * len(pairs)
        answers = await ask(
            panel.judges(manner),
            exhibits,
            pairs,
            lambda n, _: told(before + n, ways * len(pairs)),
            repeat,
        )
        done += 1
        return answers

    plain = await put(QuestionForm(), panel.exhibits)
    again = await put(QuestionForm(), panel.exhibits, repeat=1)
    turned = await put(QuestionForm(mirrored=True), panel.exhibits)
    other = [await put(QuestionForm(paraphrase=number), panel.exhibits) for number in wordings]
    nothing, yes, no = [await put(QuestionForm(), _ordered(panel, words)) for words in ORDERS]
    same = np.stack([_same(plain.yes, each.yes) for each in other])
    return [
        Measure("says yes", share(plain.yes)),
        *(_order_effect(plain, turned) if panel.kind == "isq" else _leaning(plain, turned)),
        Measure("same answer when asked again", share(_same(plain.yes, again.yes))),
        Measure("same answer in other wordings", share(_mean(same))),
        *_obedience(nothing.yes, yes.yes, no.yes),
        *_missing([plain, again, turned, *other, nothing, yes, no]),
    ]


def _ordered(panel: Panel, words: Order) -> list[Exhibit]:
    return [
        replace(exhibit, frame=with_words(exhibit.frame, panel.kind, words))
        for exhibit in panel.exhibits
    ]


def _leaning(plain: GridAnswers, mirrored: GridAnswers) -> list[Measure]:
    """Compare a question with its opposite, whose readings are turned round already."""
    lean = plain.yes - mirrored.yes
    opposite = np.where(np.isnan(lean), np.nan, lean == 0)
    return [
        Measure("leans to yes, whatever is asked", mean(lean, -1, 1), "lean"),
        Measure("opposite answer to the opposite question", share(opposite)),
    ]


def _order_effect(plain: GridAnswers, backwards: GridAnswers) -> list[Measure]:
    """Compare a questionnaire with the same one asked backwards."""
    return [
        Measure("S% backwards less S%", mean(backwards.scores - plain.scores, -100, 100), "points"),
        Measure("same answer to items backwards", share(_same(plain.yes, backwards.yes))),
    ]


def _obedience(nothing: Grid, yes: Grid, no: Grid) -> list[Measure]:
    """Say how often an order on the screen turns an answer round, and how often it does otherwise.

    An order that agrees with the answer given beside words that order nothing cannot turn it the
    ordered way: where it turns all the same, that is the judge's own unsteadiness.
    """
    turned = np.stack([np.where(nothing == 0, yes, np.nan), np.where(nothing == 1, 1 - no, np.nan)])
    against = np.stack(
        [np.where(nothing == 1, 1 - yes, np.nan), np.where(nothing == 0, no, np.nan)]
    )
    return [
        Measure("turned by an order on the screen", share(_mean(turned))),
        Measure("turned against such an order", share(_mean(against))),
    ]


def _missing(answers: Sequence[GridAnswers]) -> list[Measure]:
    def measure(name: str, of: str) -> Measure:
        hits = np.stack([each.grid(lambda j: float(j.missing == of)) for each in answers])
        return Measure(name, share(_mean(hits)))

    every = np.stack([each.grid(lambda j: float(j.answer is None)) for each in answers])
    return [
        measure("unreadable", "unreadable"),
        measure("refused", "refused"),
        Measure("no answer, for any reason", share(_mean(every))),
    ]


def _same(one: Grid, other: Grid) -> Grid:
    same: Grid = np.where(np.isnan(one) | np.isnan(other), np.nan, one == other)
    return same


def _mean(grids: NDArray[np.float64]) -> Grid:
    """Mean over ways of asking, of what there is."""
    counted = ~np.isnan(grids)
    total = np.where(counted, grids, 0.0).sum(axis=0)
    number = counted.sum(axis=0)
    means: Grid = np.where(number > 0, total / np.maximum(number, 1), np.nan)
    return means
