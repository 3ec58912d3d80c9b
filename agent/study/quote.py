"""What a study will take before anything is run: questions, tokens, money and hours."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from agent.models import find_capabilities, prices
from agent.models.batches import IN_BATCH
from agent.models.paid_calls import REPLY_TOKENS
from agent.models.token_estimate import Size, TokenEstimate, estimate_tokens, find_picture_rule
from agent.platforms import load_platform
from agent.run_config import Frames
from agent.study.matrix import StudyCell
from agent.study.question_count import Judge, QuestionCount, count_questions
from agent.study.study_file import StudyDeclaration
from personas import strategies
from personas.persona import Persona

OWN_SITE_FRAME: Size = (360, 640)
"""The playground's player in the usual window of 1,280 by 800 pixels."""
LIVE_FRAME: Size = (450, 800)
"""A player of 9 to 16 that is as high as that window, as live sites have it at most."""

CACHED_FROM = 1024
"""Tokens from which services keep a prompt; what they keep is dearer where they price that."""
STEP_S, RUN_S = 0.5, 15.0
"""Wall time of a step beside its dwell and its reply, and of a run's start."""
EMBEDDED_REPLY_S, SERVED_REPLY_S, LOCAL_REPLY_S = 0.1, 2.0, 1.0
"""Seconds until a reply: as measured of the embedded viewer, and as assumed of a service and of a
local model on a GPU."""
ASKED_AT_ONCE = 30
"""Questions about stored frames that are under way at the same time, as were measured of a service
that answers well (`docs/performance.md`); a slow one takes longer than is told."""
WATCHED_S = 3.0
"""Mean dwell on a video, in seconds of video."""


@dataclass(frozen=True)
class JudgeQuote:
    """What one judge of a study takes.

    ``live_usd``: while watching and afterwards; ``batch_usd`` the same where the stored frames go
    through the provider's batch service, as they do where ``in_batches`` says so. ``None`` where no
    price is known. ``off``: how far the money may be off, as a share, by the estimate of tokens
    alone. ``thinking_usd``: the most that a model that thinks first may cost, with replies as long
    as they may be, of ``reply_tokens``; ``None`` for others.
    """

    model: str
    strategy: str
    questions: QuestionCount
    input_tokens: int
    output_tokens: int
    live_usd: float | None
    batch_usd: float | None
    off: float
    thinking_usd: float | None = None
    reply_tokens: int = REPLY_TOKENS
    in_batches: bool = False

    @property
    def cost_usd(self) -> float | None:
        """US dollars of all its calls, as they are declared."""
        return self.batch_usd if self.in_batches else self.live_usd

    @property
    def batches(self) -> int:
        """How many batches come after each other, of as many questions as go out together."""
        return math.ceil(self.questions.stored / IN_BATCH) if self.in_batches else 0

    @property
    def tokens(self) -> int:
        return self.input_tokens + self.output_tokens


@dataclass(frozen=True)
class StudyQuote:
    """What a study takes, judge by judge.

    ``watching_s`` and ``judging_s``: seconds of wall time, for the runs and for what is asked about
    stored frames afterwards; nobody knows how long a batch takes, so it counts none.
    """

    judges: tuple[JudgeQuote, ...]
    runs: int
    videos: int
    watching_s: float
    judging_s: float

    @property
    def questions(self) -> QuestionCount:
        return sum((judge.questions for judge in self.judges), QuestionCount())

    @property
    def tokens(self) -> int:
        return sum(judge.tokens for judge in self.judges)

    @property
    def hours(self) -> float:
        """Wall time of the runs and of what is asked afterwards."""
        return (self.watching_s + self.judging_s) / 3600

    @property
    def free(self) -> bool:
        return not any(find_capabilities(judge.model).costs for judge in self.judges)

    @property
    def cost_usd(self) -> float | None:
        """US dollars of all judges; ``None`` where the price of one is not known."""
        return _sum([judge.cost_usd for judge in self.judges])

    @property
    def live_usd(self) -> float | None:
        """The same with every question asked live."""
        return _sum([judge.live_usd for judge in self.judges])

    @property
    def batch_usd(self) -> float | None:
        """The same with the stored frames in batches."""
        return _sum([judge.batch_usd for judge in self.judges])

    @property
    def batches(self) -> int:
        return sum(judge.batches for judge in self.judges)

    @property
    def bounds(self) -> tuple[float, float] | None:
        """From how much to how much it may cost, by the estimate of tokens."""
        if self.cost_usd is None:
            return None
        off = sum((judge.cost_usd or 0.0) * judge.off for judge in self.judges)
        return self.cost_usd - off, self.cost_usd + off


def _sum(costs: list[float | None]) -> float | None:
    terms = [cost for cost in costs if cost is not None]
    return sum(terms) if len(terms) == len(costs) else None


def quote_study(
    declared: StudyDeclaration, cells: tuple[StudyCell, ...], personas: Mapping[str, Persona]
) -> StudyQuote:
    """Quote the cells of a study, whose personas are given by the study file's names for them."""
    counts = count_questions(declared, cells)
    judges = tuple(
        _quote_judge(declared, judge, count, personas) for judge, count in counts.items()
    )
    live = any(load_platform(name).live for name in declared.matrix.platforms)
    videos = len(cells) * declared.windows.total
    waiting = 1.25 * declared.live.floor_s if live else 0.0
    dwelling = WATCHED_S if live else WATCHED_S / declared.site.speed
    replies = sum(count.watching * _reply_s(model) for (model, _), count in counts.items())
    watching = videos * (STEP_S + dwelling + waiting) + replies + RUN_S * len(cells)
    return StudyQuote(
        judges=judges,
        runs=len(cells),
        videos=videos,
        watching_s=watching / declared.pace.parallel,
        judging_s=sum(
            count.stored * _reply_s(model) / _at_once(model)
            for (model, _), count in counts.items()
            if not declared.rejudge.batch
        ),
    )


def _reply_s(model: str) -> float:
    can = find_capabilities(model)
    if can.in_process:
        return LOCAL_REPLY_S if can.uses_tokens else EMBEDDED_REPLY_S
    return SERVED_REPLY_S


def _at_once(model: str) -> int:
    return 1 if find_capabilities(model).in_process else ASKED_AT_ONCE


def _quote_judge(
    declared: StudyDeclaration, judge: Judge, count: QuestionCount, personas: Mapping[str, Persona]
) -> JudgeQuote:
    model, strategy = judge
    if not find_capabilities(model).uses_tokens:
        return JudgeQuote(model, strategy, count, 0, 0, 0.0, 0.0, 0.0)
    watching, *stored = put = _questions_put(declared, judge, count, personas)
    price = prices.find(model)
    reply_tokens = _longest_reply(declared, model)
    live = batch = most = None
    if price is not None:
        watched = watching.cost(price)
        live = watched + sum(each.cost(price) for each in stored)
        batch = watched + sum(each.cost(price.batched) for each in stored)
        if find_picture_rule(model).thinks:
            most = sum(each.most(price, reply_tokens) for each in put)
    input_tokens = sum(each.number * each.tokens.input_tokens for each in put)
    return JudgeQuote(
        model=model,
        strategy=strategy,
        questions=count,
        input_tokens=input_tokens,
        output_tokens=sum(each.number * each.tokens.output_tokens for each in put),
        live_usd=live,
        batch_usd=batch,
        off=sum(each.number * each.tokens.off for each in put) / max(input_tokens, 1),
        thinking_usd=most,
        reply_tokens=reply_tokens,
        in_batches=declared.rejudge.batch,
    )


def _longest_reply(declared: StudyDeclaration, model: str) -> int:
    """Tokens of a reply at most, thoughts included, as the study sets them."""
    settings = declared.model_settings.get(model)
    return settings.max_tokens if settings and settings.max_tokens else REPLY_TOKENS


@dataclass(frozen=True)
class _QuestionsPut:
    """So many questions of one form, and the tokens of one of them."""

    number: int
    tokens: TokenEstimate

    def cost(self, price: prices.Price) -> float:
        """Price them; a prompt that a service keeps is taken to be written into its cache."""
        read, replied = self.tokens.input_tokens, self.tokens.output_tokens
        written = read if read >= CACHED_FROM else 0
        return self.number * price.cost(read, replied, cache_write=written)

    def most(self, price: prices.Price, reply_tokens: int) -> float:
        """Price them with replies as long as they may be."""
        return self.number * price.dearest(self.tokens.input_tokens, reply_tokens)


def _questions_put(
    declared: StudyDeclaration, judge: Judge, count: QuestionCount, personas: Mapping[str, Persona]
) -> tuple[_QuestionsPut, ...]:
    """The questions by form: while watching, about stored frames, their opposites, for reasons."""
    explain = declared.rejudge.explain == "all"
    return (
        _QuestionsPut(count.watching, _estimate(declared, judge, personas)),
        _QuestionsPut(
            count.own + count.others, _estimate(declared, judge, personas, explain=explain)
        ),
        _QuestionsPut(
            count.mirrored, _estimate(declared, judge, personas, mirrored=True, explain=explain)
        ),
        _QuestionsPut(count.explaining, _estimate(declared, judge, personas, explain=True)),
    )


def _estimate(
    declared: StudyDeclaration,
    judge: Judge,
    personas: Mapping[str, Persona],
    *,
    mirrored: bool = False,
    explain: bool = False,
) -> TokenEstimate:
    """Tokens of a question, on average over the personas."""
    model, strategy = judge
    live = any(load_platform(name).live for name in declared.matrix.platforms)
    pictures, size = shown_pictures(declared.frames, LIVE_FRAME if live else OWN_SITE_FRAME)
    each = [
        estimate_tokens(
            model,
            strategies.build(
                strategy,
                personas[name],
                mirrored=mirrored and strategy != "isq",
                explain=explain,
                order=declared.order,
            ),
            pictures,
            size,
            explain=explain,
        )
        for name in declared.matrix.personas
    ]
    return TokenEstimate(
        input_tokens=round(sum(one.input_tokens for one in each) / len(each)),
        output_tokens=each[0].output_tokens,
        off=sum(one.off for one in each) / len(each),
    )


def shown_pictures(frames: Frames, size: Size) -> tuple[int, Size]:
    """How many pictures a model gets of a video, and their size: frames, or one sheet of them."""
    if not frames.sheet or frames.count == 1:
        return frames.count, size
    columns = math.ceil(math.sqrt(frames.count))
    return 1, (columns * size[0], math.ceil(frames.count / columns) * size[1])
