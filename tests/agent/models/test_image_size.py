"""Frames reach a model no larger than it makes use of; what is stored stays as it is."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from agent.errors import ModelFailed
from agent.models import image_size
from agent.models.base import Question
from agent.models.chat_inputs import make_chat
from personas.strategies import build
from tests.agent.models.made_models import GUITARIST, frame


def size(jpeg: bytes) -> tuple[int, int]:
    with Image.open(io.BytesIO(jpeg)) as image:
        return image.size


@pytest.mark.parametrize(
    ("taken", "sent"),
    [
        ((360, 640), (360, 640)),
        ((864, 1536), (864, 1536)),
        ((1080, 1920), (864, 1536)),
        ((2560, 1440), (1536, 864)),
        ((4000, 10), (1536, 4)),
    ],
)
def test_a_frame_keeps_its_shape(taken: tuple[int, int], sent: tuple[int, int]) -> None:
    jpeg = frame("A title", size=taken)
    assert size(image_size.scaled(jpeg)) == image_size.opened(jpeg).size == sent
    assert (image_size.scaled(jpeg) == jpeg) == (taken == sent)
    assert image_size.scaled(jpeg) == image_size.scaled(jpeg)


def test_a_local_model_gets_every_frame_no_larger_than_that() -> None:
    frames = (frame(size=(1080, 1920)), frame("second"), frame("third"))
    chat = make_chat(Question(build("simple", GUITARIST), frames))
    parts = chat[-1]["content"]
    pictures = [part["image"].size for part in parts if part["type"] == "image"]
    assert pictures == [(864, 1536), (360, 640), (360, 640)]
    assert [part["type"] for part in parts] == ["image"] * 3 + ["text"]


@pytest.mark.parametrize("broken", [b"", b"no picture", frame()[:200]])
def test_what_is_no_picture_is_a_failure(broken: bytes) -> None:
    with pytest.raises(ModelFailed, match="no picture"):
        image_size.opened(broken)


def test_the_size_is_part_of_what_a_reply_is_kept_under(monkeypatch: pytest.MonkeyPatch) -> None:
    from agent.models.api import ServedModel

    monkeypatch.setenv("LOOPBACK_API_KEY", "x")
    monkeypatch.setenv("LOOPBACK_BASE_URL", "http://127.0.0.1:9/v1")
    settings = ServedModel.load("openai-api/loopback/tiny").settings
    assert settings["longest_side"] == image_size.LONGEST_SIDE
    assert settings["schema"] == "isq"
