"""Scores of replies by a judge that was not trained: how well they show a style or a persona.

The judge is any model that answers about frames, asked blind: it is not told which training wrote
the reply, nor that there was one. It goes the way of every other judge, so that a refusal or a
failure is missing and never a no. Refuses to know sizes and curves.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from agent.evaluation.question_engine import QuestionBatch
from agent.judge.judge import ModelJudge, QuestionForm
from agent.models.base import Model
from agent.training.dataset import jpegs
from personas.persona import Persona
from personas.strategies import Prompt
from store.results.trainings import HeldOutItem, ScoringJudge, TrainingScores
from store.runs.records import Judgement

_STYLE = (
    "Here is a style of writing:\n{about}\n\nSomebody wrote this about the picture:\n{reply}\n\n"
)
_STYLE_ASKED = "Is it written in that style? Answer with one word: Yes or No."
_PERSONA = "Here is a person:\n{about}\n\nSomebody wrote this about the picture:\n{reply}\n\n"
_PERSONA_ASKED = "Does it sound like that person? Answer with one word: Yes or No."


@dataclass(frozen=True)
class AnswerScale:
    """What replies are held against."""

    traits: tuple[str, ...]
    persona: bool

    @classmethod
    def of(cls, style: str | None, persona: Persona | None) -> AnswerScale:
        """Make a scale of a style in words, or of a persona's traits."""
        if persona is not None:
            return cls(persona.traits, persona=True)
        return cls((style or "",), persona=False)

    @property
    def question(self) -> str:
        """The question, with a place for the reply."""
        wording = _PERSONA + _PERSONA_ASKED if self.persona else _STYLE + _STYLE_ASKED
        return wording.replace("{about}", self.about)

    @property
    def about(self) -> str:
        """The style or the traits, as the judge reads them."""
        return "\n".join(f"- {trait}" for trait in self.traits)

    def asked(self, judge: str) -> ScoringJudge:
        """Say who scores, and by what."""
        return ScoringJudge(judge=judge, about=self.about, question=self.question)

    def prompt(self, reply: str) -> Prompt:
        """Put the question about one reply."""
        return Prompt(
            strategy="persona" if self.persona else "style",
            kind="choice",
            system="",
            user=self.question.replace("{reply}", reply),
            traits=self.traits,
            mirrored=False,
            sha256=hashlib.sha256(self.question.encode()).hexdigest(),
        )


async def score(
    model: Model,
    scale: AnswerScale,
    items: Sequence[HeldOutItem],
    pairs: Any,
    told: Callable[[int], None],
) -> TrainingScores:
    """Let the judge score replies; an empty one shows nothing and is not asked about."""
    done = [0]

    async def judged(place: int) -> Judgement:
        reply = items[place].reply
        judge = ModelJudge(model, scale.prompt(reply), QuestionForm())
        made = await judge.judge(jpegs(pairs[place]["images"]), reply)
        done[0] += 1
        told(done[0])
        return made

    batch: QuestionBatch[int, Judgement] = QuestionBatch(
        [place for place, item in enumerate(items) if item.reply.strip()]
    )
    await batch.answer(judged)
    if batch.ended is not None:
        raise batch.ended
    answers = dict(batch.answered)
    return TrainingScores(judgements=tuple(answers.get(place) for place in range(len(items))))
