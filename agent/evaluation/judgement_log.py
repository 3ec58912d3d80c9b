"""Judgements of runs as logs of inspect_ai: what ``inspect view`` opens.

A log is made of what is kept, whenever somebody wants one: one for the judge that acted, one for
each judge that was asked again. The ledger stays the truth. Pictures are previews; the hash of each
stored frame stands beside them.
"""

from __future__ import annotations

import base64
import hashlib
import io
import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from statistics import fmean
from typing import get_args

from inspect_ai.log import (
    EvalConfig,
    EvalDataset,
    EvalLog,
    EvalMetric,
    EvalResults,
    EvalSample,
    EvalScore,
    EvalSpec,
    EvalStats,
    write_eval_log,
)
from inspect_ai.model import (
    ChatMessage,
    ChatMessageAssistant,
    ChatMessageSystem,
    ChatMessageUser,
    ContentImage,
    ContentText,
    ModelOutput,
    ModelUsage,
)
from inspect_ai.scorer import Score

from agent.evaluation.rejudge import persona_of
from agent.models.image_size import opened
from agent.run.capture import sheet
from personas import strategies
from personas.strategies import ORDERS, Order, Prompt
from store.errors import StoreError
from store.frames.frame_store import FrameStore
from store.runs.ledger import Ledger
from store.runs.ledger_lines import Judgement, PersonaRecord, Phase, Step, text_of
from store.runs.rejudgements import Judgements, RejudgedAnswer, judgement_files, read_judgements

PREVIEW_SIDE = 360
"""Longest side of a preview, in pixels."""
_QUALITY = 80
_ACTING = "acting"
_CHANGED = "(the wording of that day is not this version's; its hash is in the log's metadata)"
_STRANGER = "(asked as a persona whose traits are in none of these runs: name its own run as well)"


@dataclass(frozen=True)
class LoggedJudge:
    """Who judged, and by which prompts."""

    model: str
    strategy: str
    prompts: Mapping[str, str]
    """SHA-256 of each prompt file, by name."""
    explain: bool
    order: Order
    at: datetime
    revision: str
    """Of feedsway's code."""


@dataclass(frozen=True)
class LoggedQuestion:
    """One question of a log, and what came of it."""

    persona: PersonaRecord | None
    """``None`` where nobody here knows the traits any more."""
    name: str
    step: Step
    judgement: Judgement
    own: bool
    """Whether it was put as the persona whose run it is about."""
    mirrored: bool = False
    paraphrase: int = 0
    repeat: int = 0

    @property
    def plain(self) -> bool:
        """Whether it is the question itself, in the strategy's own words, and put once."""
        return not (self.mirrored or self.paraphrase or self.repeat)

    @property
    def id(self) -> str:
        extra = [f"wording {self.paraphrase}"] if self.paraphrase else []
        extra += ["opposite"] if self.mirrored else []
        extra += [f"repeat {self.repeat}"] if self.repeat else []
        return " ".join([f"{self.step.position:05d}", self.name, *extra])


class JudgementLogs:
    """Writes the logs of runs into one folder."""

    def __init__(self, runs: Sequence[Ledger], frames: FrameStore, folder: Path) -> None:
        self._frames, self._folder = frames, folder
        known = [run.started.persona for run in runs]
        self._personas = {(one.id, one.traits_hash): one for one in known}
        self._previews: dict[tuple[str, ...], str] = {}
        self._as_sheet = False

    def write(self, run: Ledger) -> Iterator[Path]:
        """Write one log for each judge of a run; raises as `read_judgements` does."""
        self._previews.clear()
        self._as_sheet = bool(run.started.config.get("frames", {}).get("sheet", False))
        yield self._write(run, _ACTING, _acting_judge(run), _acting(run))
        steps = {step.position: step for step in run.steps}
        for path in judgement_files(run.path.parent):
            told = read_judgements(path)
            who = run.started.persona
            asked = [
                self._question(line, steps[line.position], who)
                for line in told.asked
                if line.position in steps
            ]
            yield self._write(run, path.stem, _later_judge(told), asked)

    def _question(self, line: RejudgedAnswer, step: Step, who: PersonaRecord) -> LoggedQuestion:
        return LoggedQuestion(
            persona=self._personas.get((line.persona, line.traits)),
            name=line.persona or "nobody",
            step=step,
            judgement=line.judgement,
            own=line.persona == who.id and line.traits in ("", who.traits_hash),
            mirrored=line.mirrored,
            paraphrase=line.paraphrase,
            repeat=line.repeat,
        )

    def _write(
        self, run: Ledger, name: str, judge: LoggedJudge, questions: Sequence[LoggedQuestion]
    ) -> Path:
        started = run.started
        samples = [self._sample(judge, one) for one in questions]
        log = EvalLog(
            status="success" if run.finished else "cancelled",
            eval=EvalSpec(
                created=judge.at.isoformat(),
                task=f"{started.run_id}, {'acting' if name == _ACTING else 'asked again'}",
                dataset=EvalDataset(name=started.run_id, samples=len(samples)),
                model=judge.model,
                config=EvalConfig(),
                eval_id=_short_hash(started.run_id, name),
                run_id=_short_hash(started.study or started.run_id),
                task_id=_short_hash(name),
                metadata={
                    "arm": started.arm,
                    "persona": started.persona.id,
                    "platform": started.platform,
                    "strategy": judge.strategy,
                    "prompts": dict(judge.prompts),
                    "code": judge.revision,
                },
            ),
            results=_results(questions),
            stats=EvalStats(
                started_at=judge.at.isoformat(),
                completed_at=(judge.at + _thinking_time(questions)).isoformat(),
                model_usage={judge.model: _total_usage(questions)},
            ),
            samples=samples,
        )
        path = self._folder / f"{started.run_id}-{name}.eval"
        write_eval_log(log, str(path))
        return path

    def _sample(self, judge: LoggedJudge, one: LoggedQuestion) -> EvalSample:
        chat = self._chat(judge, one)
        said = one.judgement
        output = ModelOutput.from_content(judge.model, said.reply)
        usage = _usage(said)
        return EvalSample(
            id=one.id,
            epoch=1,
            input=chat,
            target="",
            messages=[*chat, ChatMessageAssistant(content=said.reply)],
            output=output.model_copy(update={"usage": usage}),
            scores={"yes": _score(said)},
            metadata={
                "window": one.step.phase,
                "position": one.step.position,
                "counts": one.step.eligible,
                "p_yes": said.p_yes,
                "missing": said.missing,
                "reason": said.reason,
                "description": said.description,
                "fault": said.fault,
                "caption": text_of(one.step.video),
                "served": said.served,
                "frames": [frame.sha256 for frame in one.step.frames],
            },
            model_usage={judge.model: usage},
            total_time=said.latency_s,
        )

    def _chat(self, judge: LoggedJudge, one: LoggedQuestion) -> list[ChatMessage]:
        pictures = [ContentImage(image=url) for url in self._pictures(one.step)]
        prompt = _prompt(judge, one)
        user = prompt.user if prompt else _STRANGER if _has_words(judge) else _CHANGED
        asked = ChatMessageUser(content=[*pictures, ContentText(text=user)])
        if prompt is None or not prompt.system:
            return [asked]
        return [ChatMessageSystem(content=prompt.system), asked]

    def _pictures(self, step: Step) -> list[str]:
        """Return previews as data URIs of what was shown: frames, or one sheet of them.

        Of a forgotten frame there is none, nor of a sheet that held it.
        """
        names = tuple(frame.sha256 for frame in step.frames)
        shown = [names] if self._as_sheet and len(names) > 1 else [(name,) for name in names]
        for each in shown:
            if each not in self._previews:
                with suppress(StoreError):
                    jpegs = [self._frames.read(name) for name in each]
                    self._previews[each] = _preview(sheet(jpegs) if len(jpegs) > 1 else jpegs[0])
        return [self._previews[each] for each in shown if each in self._previews]


def _acting_judge(run: Ledger) -> LoggedJudge:
    started = run.started
    return LoggedJudge(
        model=started.model,
        strategy=started.strategy,
        prompts=started.prompts,
        explain=started.config.get("explain") == "all",
        order=started.config.get("order", ORDERS[0]),
        at=started.at,
        revision=started.provenance.code_version,
    )


def _later_judge(told: Judgements) -> LoggedJudge:
    judge = told.judge
    return LoggedJudge(
        model=judge.model,
        strategy=judge.strategy,
        prompts=judge.prompts,
        explain=judge.explain == "all",
        order=judge.order,
        at=judge.at,
        revision=judge.code_version,
    )


def _acting(run: Ledger) -> list[LoggedQuestion]:
    who = run.started.persona
    return [LoggedQuestion(who, who.id, step, step.judgement, own=True) for step in run.steps]


def _prompt(judge: LoggedJudge, one: LoggedQuestion) -> Prompt | None:
    """Return the words that were put; ``None`` where they or the persona are not known here."""
    if not _has_words(judge):
        return None
    if one.persona is None and judge.strategy != "plain":
        return None
    return strategies.build(
        judge.strategy,
        persona_of(one.persona) if one.persona else None,
        mirrored=one.mirrored,
        paraphrase=one.paraphrase,
        explain=judge.explain,
        order=judge.order,
    )


def _has_words(judge: LoggedJudge) -> bool:
    """Whether the prompts of that day are this version's."""
    known = judge.strategy in strategies.strategies()
    return known and strategies.hashes(judge.strategy) == dict(judge.prompts)


def _score(said: Judgement) -> Score:
    """1 for yes, 0 for no; what is missing is unscored, never a no."""
    if said.answer is None:
        unread = Score.unscored()
        return unread.model_copy(update={"answer": said.reply, "explanation": said.missing})
    return Score(value=float(said.answer == "yes"), answer=said.answer, explanation=said.reason)


def _results(questions: Sequence[LoggedQuestion]) -> EvalResults:
    """Return the run's own persona's shares of yes by window, of plain questions that count."""
    said: defaultdict[str, list[bool]] = defaultdict(list)
    for one in questions:
        counts = one.own and one.plain and one.step.eligible
        if counts and one.judgement.answer is not None:
            said[one.step.phase].append(one.judgement.answer == "yes")
    metrics = {
        window: EvalMetric(name=f"share of yes, {window}", value=fmean(said[window]))
        for window in get_args(Phase)
        if window in said
    }
    scored = sum(one.judgement.answer is not None for one in questions)
    score = EvalScore(
        name="yes",
        scorer="feedsway",
        scored_samples=scored,
        unscored_samples=len(questions) - scored,
        metrics=metrics,
    )
    return EvalResults(
        total_samples=len(questions), completed_samples=len(questions), scores=[score]
    )


def _usage(said: Judgement) -> ModelUsage:
    read, written = said.usage.input_tokens or 0, said.usage.output_tokens or 0
    return ModelUsage(
        input_tokens=read,
        output_tokens=written,
        total_tokens=read + written,
        total_cost=said.usage.cost_usd,
    )


def _total_usage(questions: Sequence[LoggedQuestion]) -> ModelUsage:
    used = [_usage(one.judgement) for one in questions]
    costs = [one.total_cost for one in used if one.total_cost is not None]
    return ModelUsage(
        input_tokens=sum(one.input_tokens for one in used),
        output_tokens=sum(one.output_tokens for one in used),
        total_tokens=sum(one.total_tokens for one in used),
        total_cost=math.fsum(costs) if costs else None,
    )


def _thinking_time(questions: Sequence[LoggedQuestion]) -> timedelta:
    """Return how long the judge took over all questions, as if one had followed the other."""
    return timedelta(seconds=math.fsum(one.judgement.latency_s for one in questions))


def _preview(jpeg: bytes) -> str:
    picture = opened(jpeg)
    picture.thumbnail((PREVIEW_SIDE, PREVIEW_SIDE))
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=_QUALITY)
    return f"data:image/jpeg;base64,{base64.b64encode(file.getvalue()).decode('ascii')}"


def _short_hash(*names: str) -> str:
    return hashlib.sha256("\n".join(names).encode()).hexdigest()[:22]
