"""Film strips: what was shown at each position and what a judge said of it, of two side by side.

A strip is one run with its acting judge, or the same frames with what another judge, persona or
blind judge said of them later.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from agent.explorer.errors import NoSuchPage
from store.errors import StoreError
from store.runs import ledger
from store.runs.data_folder import DataFolder
from store.runs.ledger_lines import Judgement, ObservedVideo, Phase, RunStarted
from store.runs.recorded_model_names import REPLAY, invents
from store.runs.rejudgements import (
    Judgements,
    RejudgementHeader,
    judgement_files,
    read_judgements,
)

StripAnswer = Literal["yes", "no", "none"]
_PLAYGROUND, _RECORDING = "playground", "recording"
_BLIND = "plain"
"""The strategy that tells the model of no persona."""


@dataclass(frozen=True)
class StripAddress:
    """Which strip is meant: ``RUN``, or ``RUN/JUDGE/PERSONA`` for what was said later."""

    run: str
    judge: str = ""
    persona: str = ""

    @classmethod
    def read(cls, text: str) -> StripAddress:
        """Read an address; names in it may be of nothing that there is."""
        return cls(*text.split("/", 2))

    def __str__(self) -> str:
        return "/".join(part for part in (self.run, self.judge, self.persona) if part)


@dataclass(frozen=True)
class FilmFrame:
    """One position of a strip: the video, and the answer about it."""

    position: int
    phase: Phase
    video: str
    caption: str
    frame: str | None
    """SHA-256; ``None`` where no frame is kept."""
    answer: StripAnswer
    why: str
    """Why there is no answer, or why the video does not count; else empty."""
    p_yes: float | None
    eligible: bool

    @property
    def said(self) -> str:
        """The answer in words, as it is written below the frame."""
        return self.why or self.answer


@dataclass(frozen=True)
class WindowCount:
    """How many answers of a window were yes, of the videos that count."""

    phase: Phase
    yes: int
    answered: int


@dataclass(frozen=True, eq=False)
class FilmStrip:
    """One feed as it was watched, with one judge's answers."""

    address: StripAddress
    started: RunStarted
    judge: RejudgementHeader | None
    """``None`` for the acting judge."""
    cells: dict[int, FilmFrame]
    """By position."""

    @property
    def title(self) -> str:
        first = self.started
        if self.judge is None:
            return f"{first.persona.id}, {first.arm} arm"
        return f"{first.persona.id}'s feed, {tell_judge(self.judge, self.address.persona)}"

    @property
    def under(self) -> str:
        """Judge, study and day, in one line."""
        of = self.judge or self.started
        parts = [f"{of.strategy}, {of.model}", self.started.study or "", f"{self.started.at:%F}"]
        return " · ".join(part for part in parts if part)

    @cached_property
    def marks(self) -> tuple[str, ...]:
        """What a stranger must know before believing it: no real feed, or made-up answers."""
        first = self.started
        model = self.judge.model if self.judge else first.model
        return list_marks(first.platform, first.config, model)

    @cached_property
    def counts(self) -> tuple[WindowCount, ...]:
        """Shares of yes in the windows that were asked about, in their order."""
        found: dict[Phase, list[str]] = {}
        for cell in self.cells.values():
            if cell.eligible and cell.answer != "none":
                found.setdefault(cell.phase, []).append(cell.answer)
        return tuple(
            WindowCount(phase, said.count("yes"), len(said)) for phase, said in found.items()
        )


def list_marks(platform: str, config: Mapping[str, Any], model: str) -> tuple[str, ...]:
    """Return what makes a run's feed or its answers other than a real site's."""
    site = config.get("site")
    skin = site.get("skin") if isinstance(site, dict) else None
    marks = []
    if isinstance(skin, str) and skin:
        marks.append(f"embedded feed, looks like {skin[:40]}")
    elif platform == _PLAYGROUND:
        marks.append("embedded feed")
    elif platform == REPLAY:
        marks.append("replay: no feed reacts")
    elif platform == _RECORDING:
        marks.append("recording: no feed reacts")
    if invents(model):
        marks.append("made-up answers")
    return tuple(marks)


def tell_judge(judge: RejudgementHeader, persona: str) -> str:
    """Say in words who judged later, and as whom."""
    if judge.strategy == _BLIND:
        return "judged again without a persona"
    return f"judged again as {persona.partition('~')[0]}"


@dataclass(frozen=True, eq=False)
class StripPair:
    """Two strips at the same positions."""

    a: FilmStrip
    b: FilmStrip

    @cached_property
    def positions(self) -> tuple[int, ...]:
        return tuple(sorted({*self.a.cells, *self.b.cells}))

    @property
    def is_one_feed(self) -> bool:
        """Whether both are the same run, so that every video is shared."""
        return self.a.address.run == self.b.address.run

    def is_shared(self, position: int) -> bool:
        """Whether both saw the same video at this position."""
        one, other = self.a.cells.get(position), self.b.cells.get(position)
        return (
            one is not None
            and other is not None
            and one.video == other.video
            and self.a.started.platform == self.b.started.platform
        )

    def differs(self, position: int) -> bool:
        """Whether both answered about the same video, one yes and one no."""
        if not self.is_shared(position):
            return False
        said = {self.a.cells[position].answer, self.b.cells[position].answer}
        return said == {"yes", "no"}

    @property
    def marks(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((*self.a.marks, *self.b.marks)))

    @property
    def frames(self) -> frozenset[str]:
        """SHA-256 of every frame that is shown."""
        cells = (*self.a.cells.values(), *self.b.cells.values())
        return frozenset(cell.frame for cell in cells if cell.frame)

    def cut(self, first: int, last: int) -> StripPair:
        """Return the positions from ``first`` to ``last`` alone."""
        return StripPair(_cut(self.a, first, last), _cut(self.b, first, last))


def _cut(strip: FilmStrip, first: int, last: int) -> FilmStrip:
    cells = {at: cell for at, cell in strip.cells.items() if first <= at <= last}
    return FilmStrip(strip.address, strip.started, strip.judge, cells)


def read_pair(data: DataFolder, a: StripAddress, b: StripAddress) -> StripPair:
    """Read two strips; raises ``NoSuchPage`` and what a ledger raises."""
    return StripPair(read_strip(data, a), read_strip(data, b))


def read_strip(data: DataFolder, address: StripAddress) -> FilmStrip:
    """Read a run's frames with the answers that an address means; raises as ``read_pair``."""
    path = data.ledger_path(address.run)
    if not path.is_file():
        raise NoSuchPage(f"There is no run {address.run[:80]!r}. It may have been forgotten.")
    kept = ledger.read(path)
    if not address.judge:
        cells = {step.position: _cell(step, step.judgement) for step in kept.seen}
        return FilmStrip(address, kept.started, None, cells)
    told = _find_judge(data, address)
    answers = {
        one.position: one.judgement
        for one in told.asked
        if not (one.mirrored or one.repeat or one.paraphrase)
        and name_persona(one.persona, one.traits) == address.persona
    }
    if not answers:
        raise NoSuchPage(f"This judge was not asked as {address.persona[:80]!r}.")
    cells = {step.position: _cell(step, answers.get(step.position)) for step in kept.seen}
    return FilmStrip(address, kept.started, told.judge, cells)


def list_later_strips(
    data: DataFolder, run: str
) -> Iterator[tuple[StripAddress, RejudgementHeader]]:
    """Yield what was said later of a run's frames, a strip for each judge and persona."""
    for path in judgement_files(data.run_dir(run)):
        try:
            told = read_judgements(path)
        except StoreError:  # the run's page tells of it
            continue
        names = {name_persona(one.persona, one.traits) for one in told.asked}
        for name in sorted(names):
            yield StripAddress(run, path.stem, name), told.judge


def name_persona(persona: str, traits: str) -> str:
    """Return the identity of whom a judge was to be; ``-`` of nobody."""
    return f"{persona}~{traits}" if traits else persona or "-"


def _find_judge(data: DataFolder, address: StripAddress) -> Judgements:
    for path in judgement_files(data.run_dir(address.run)):
        if path.stem == address.judge:
            return read_judgements(path)
    raise NoSuchPage(f"No judge {address.judge[:80]!r} was asked about this run.")


def _cell(step: ObservedVideo, said: Judgement | None) -> FilmFrame:
    answer: StripAnswer = "none" if said is None or said.answer is None else said.answer
    missing = "not asked" if said is None else (said.missing or "").replace("_", " ")
    return FilmFrame(
        position=step.position,
        phase=step.phase,
        video=step.video.id,
        caption=step.video.caption or "",
        frame=next((one.sha256 for one in step.frames if one.quality != "blank"), None),
        answer=answer,
        why=step.excluded.replace("_", " ") if step.excluded else missing,
        p_yes=said.p_yes if said else None,
        eligible=step.eligible,
    )
