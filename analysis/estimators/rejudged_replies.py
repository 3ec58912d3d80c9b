"""What one judge answered about stored frames, put beside the videos that were compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.data.before_after_windows import batches, compared
from analysis.data.exposures import NO, NONE, YES, RunInfo, Views
from analysis.statistics.estimate import Floats, Ints, Mask
from store.runs.rejudgements import Judgements

_ANSWERS = {"yes": YES, "no": NO, None: NONE}


@dataclass(frozen=True, eq=False)
class RejudgedReplies:
    """What one judge answered about the compared videos, one row per question."""

    runs: tuple[RunInfo, ...]  # what ``run`` is an index into
    members: tuple[int, ...]  # runs that belong together: of one platform, strategy and model
    run: Ints
    persona: NDArray[np.str_]
    position: Ints
    frame: NDArray[np.str_]
    mirrored: Mask
    repeat: Ints
    paraphrase: Ints
    answer: Ints
    after: Mask  # whether the video was seen in the after window (else before)
    batch: Ints
    acting: Ints  # what the acting judge answered about the same video as the run's own persona
    p_yes: Floats  # p_yes, score: the graded answer, as in a ledger; nan where there is none
    score: Floats
    outside: int  # answers about videos that are not compared, left out
    split: tuple[int, ...]
    """Runs whose answers come from several sittings that cannot be told apart."""
    others: frozenset[float] = frozenset({1.0})
    """Shares of the others' questions that were drawn, one if all runs were judged alike."""
    samples: frozenset[tuple[int, float, float]] = frozenset()
    """Draws of a sample: questions over all runs, and the highest ranks. Empty: not sampled."""
    unasked: tuple[int, ...] = ()  # runs of which a question that was drawn is yet to be put

    @property
    def plain(self) -> Mask:
        """The question itself, first asked, in the strategy's own words."""
        first = (self.repeat == 0) & (self.paraphrase == 0)
        return np.asarray(first & ~self.mirrored)

    @property
    def drawn(self) -> bool:
        """Whether not all questions were asked, but some that were drawn."""
        return bool(self.samples) or min(self.others) < 1

    @property
    def own(self) -> Mask:
        """Put as the persona whose run it is."""
        owners = np.array([run.persona for run in self.runs])
        return np.asarray(owners[self.run] == self.persona)


_COLUMNS: dict[str, type] = {
    "run": np.int64,
    "persona": str,
    "position": np.int64,
    "frame": str,
    "mirrored": bool,
    "repeat": np.int64,
    "paraphrase": np.int64,
    "answer": np.int64,
    "after": bool,
    "batch": np.int64,
    "acting": np.int64,
    "p_yes": np.float64,
    "score": np.float64,
}


def replies(
    views: Views, files: Mapping[int, Judgements], members: Sequence[int] | None = None
) -> RejudgedReplies:
    """Put one judge's files, by the run's index, beside the views that they are about.

    ``members``: runs that belong together; all of the table if not given.
    """
    members = range(len(views.runs)) if members is None else members
    names = _names(views.runs)
    rows: list[tuple[Any, ...]] = []
    outside = 0
    for index, file in files.items():
        placed = _places(views.one(index))
        for line in file.asked:
            persona = names.get((line.persona, line.traits))
            if line.position not in placed or persona is None:
                outside += 1
                continue
            rows.append(
                (
                    index,
                    persona,
                    line.position,
                    line.frame,
                    line.mirrored,
                    line.repeat,
                    line.paraphrase,
                    _ANSWERS[line.judgement.answer],
                    *placed[line.position],
                    line.judgement.p_yes,
                    line.judgement.score,
                )
            )
    items = list(zip(*rows, strict=True)) or [()] * len(_COLUMNS)
    columns: dict[str, Any] = {
        name: np.array(column, dtype=kind)
        for (name, kind), column in zip(_COLUMNS.items(), items, strict=True)
    }
    split = tuple(index for index, file in files.items() if not file.in_one_sitting)
    drawn = [file.judge.sample for file in files.values()]
    samples = frozenset((one.questions, one.own, one.others) for one in drawn if one is not None)
    return RejudgedReplies(
        runs=views.runs,
        members=tuple(members),
        outside=outside,
        split=split,
        others=frozenset(file.judge.others for file in files.values()) or frozenset({1.0}),
        samples=samples,
        unasked=(*_unasked(views.runs, files), *(set(members) - set(files) if samples else ())),
        **columns,
    )


def _unasked(runs: Sequence[RunInfo], files: Mapping[int, Judgements]) -> list[int]:
    """Runs of which a question that was drawn is yet to be put."""
    return [
        index
        for index, file in files.items()
        if (file.judge.others < 1 or file.judge.sample is not None)
        and file.count_unasked(runs[index].identity)
    ]


def _names(runs: Sequence[RunInfo]) -> dict[tuple[str, str], str]:
    """Name of each persona of the runs, by the id and the hash of the traits that were asked.

    Answers from before traits were recorded tell the id alone. They count where just one persona
    has it.
    """
    names: dict[tuple[str, str], str] = {}
    of_id: dict[str, set[str]] = {}
    for run in runs:
        name, _, traits = (run.identity or f"{run.persona}~").rpartition("~")
        names[name, traits] = run.persona
        of_id.setdefault(name, set()).add(run.persona)
    alone = {(name, ""): labels.pop() for name, labels in of_id.items() if len(labels) == 1}
    return alone | names


def _places(run: Views) -> dict[int, tuple[bool, int, int]]:
    """Window, batch and acting answer of each compared video, by position."""
    rows, codes = compared(run), batches(run)
    return {
        int(run.position[at]): (bool(rows.after[at]), int(codes[at]), int(run.answer[at]))
        for at in np.flatnonzero(rows.before | rows.after)
    }


def by_judge(files: Mapping[int, Sequence[Judgements]]) -> dict[str, dict[int, Judgements]]:
    found: dict[str, dict[int, Judgements]] = {}
    for index, beside in files.items():
        for file in beside:
            found.setdefault(file.judge.slug, {})[index] = file
    return found
