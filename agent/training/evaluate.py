"""What a model's replies are worth: its preferences on held-out pairs, and a judge's scores.

A model is asked the same questions before and after training, about videos that no training saw.
The judge is any model that was not trained, asked blind: it is not told which training wrote a
reply, nor that there was one. It goes the way of every other judge, so that a refusal or a failure
is missing and never a no.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from agent.evaluation.question_stream import QuestionStream
from agent.judge.judge import ModelJudge, QuestionForm
from agent.models.base import Model
from agent.models.chat_inputs import Chat
from agent.models.local_checkpoint import Checkpoint
from agent.models.local_vlm import TOGETHER, HfVlm
from agent.training import dpo
from agent.training.dataset import encode_jpegs, join_words
from personas.persona import Persona
from personas.strategies import Prompt
from store.results.trainings import HeldOutItem, ScoringJudge, TrainingScores
from store.runs.ledger_lines import Judgement

LONGEST = 96
"""Tokens of a reply."""
# whatever the picture shows, half of the questions about a pair deserve a yes
_RIGHT = "Somebody says of this picture: {said}\nIs that right? Answer with one word: Yes or No."
_WRONG = "Somebody says of this picture: {said}\nIs that wrong? Answer with one word: Yes or No."
_STYLE = (
    "Here is a style of writing:\n{about}\n\nSomebody wrote this about the picture:\n{reply}\n\n"
)
_STYLE_ASKED = "Is it written in that style? Answer with one word: Yes or No."
_PERSONA = "Here is a person:\n{about}\n\nSomebody wrote this about the picture:\n{reply}\n\n"
_PERSONA_ASKED = "Does it sound like that person? Answer with one word: Yes or No."


def measure_model(
    checkpoint: Checkpoint, pairs: Any, name: str, tell: Callable[[int], None]
) -> tuple[HeldOutItem, ...]:
    """Ask a model about held-out pairs; ``tell`` is called with how many are done."""
    model = HfVlm(name, checkpoint, limit_s=None)  # a reply must not depend on how busy it is
    items: list[HeldOutItem] = []
    for start in range(0, len(pairs), TOGETHER):
        some = pairs.select(range(start, min(start + TOGETHER, len(pairs))))
        replies = [made.text for made in model.generate(dpo.build_chats(some), LONGEST)]
        preferred = dpo.log_probabilities(checkpoint, some)
        for pair, reply, (chosen, rejected, *tokens) in zip(some, replies, preferred, strict=True):
            items.append(
                HeldOutItem(
                    id=pair["id"],
                    video=pair["video"],
                    kind=pair["kind"],
                    reply=reply,
                    chosen=chosen,
                    rejected=rejected,
                    chosen_tokens=tokens[0],
                    rejected_tokens=tokens[1],
                    p_yes=tuple(said.p_yes for said in model.generate(_questions(pair), 1)),
                )
            )
        tell(len(items))
    return tuple(items)


def _questions(pair: Any) -> list[Chat]:
    said = (join_words(pair["chosen"]), join_words(pair["rejected"]))
    return [
        _about(pair["images"], wording.format(said=each))
        for each in said
        for wording in (_RIGHT, _WRONG)
    ]


def _about(images: Sequence[Any], text: str) -> Chat:
    pictures = [{"type": "image", "image": image} for image in images]
    return [{"role": "user", "content": [*pictures, {"type": "text", "text": text}]}]


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
        return "\n".join(f"- {trait}" for trait in self.traits)

    def make_scorer(self, judge: str) -> ScoringJudge:
        return ScoringJudge(judge=judge, about=self.about, question=self.question)

    def prompt(self, reply: str) -> Prompt:
        return Prompt(
            strategy="persona" if self.persona else "style",
            kind="choice",
            system="",
            user=self.question.replace("{reply}", reply),
            traits=self.traits,
            mirrored=False,
            sha256=hashlib.sha256(self.question.encode()).hexdigest(),
        )


async def score_replies(
    model: Model,
    scale: AnswerScale,
    items: Sequence[HeldOutItem],
    pairs: Any,
    tell: Callable[[int], None],
) -> TrainingScores:
    """Let the judge score replies; an empty one shows nothing and is not asked about."""
    done = [0]

    async def judged(place: int) -> Judgement:
        reply = items[place].reply
        judge = ModelJudge(model, scale.prompt(reply), QuestionForm())
        made = await judge.judge(encode_jpegs(pairs[place]["images"]), reply)
        done[0] += 1
        tell(done[0])
        return made

    stream: QuestionStream[int, Judgement] = QuestionStream(
        [place for place, item in enumerate(items) if item.reply.strip()], lambda: model.at_once
    )
    await stream.answer(judged)
    if stream.ended is not None:
        raise stream.ended
    answers = dict(stream.answered)
    return TrainingScores(judgements=tuple(answers.get(place) for place in range(len(items))))
