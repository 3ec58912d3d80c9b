"""feedsway's own models answer through inspect_ai as they do in a run."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from inspect_ai.model import (
    ChatMessage,
    ChatMessageAssistant,
    ChatMessageSystem,
    ChatMessageUser,
    ContentImage,
    ContentText,
    GenerateConfig,
    Model,
    get_model,
)

from agent.errors import BadConfig
from agent.models import Question, inspect_provider, load
from agent.models.chat_messages import write_messages
from personas.strategies import ORDERS, build, paraphrases, strategies
from tests.agent.models import tiny
from tests.agent.models.made_models import GUITARIST, frame

# inspect_ai calls tenacity in a way that tenacity 9.2 has deprecated; it is theirs to mend
pytestmark = pytest.mark.filterwarnings("ignore:The 'initial' parameter:DeprecationWarning")

CALM = frame("A guitar solo", "#885533")


def every_question() -> Iterator[Question]:
    yes_no = (False, True)
    for strategy in strategies():
        wordings = range(paraphrases(strategy))
        for order, paraphrase, mirrored, explain in product(ORDERS, wordings, yes_no, yes_no):
            prompt = build(
                strategy,
                GUITARIST,
                mirrored=mirrored,
                paraphrase=paraphrase,
                explain=explain,
                order=order,
            )
            yield Question(prompt, (CALM, frame()), explain=explain)


def generate(model: Model, messages: list[Any]) -> Any:
    async def once() -> Any:
        async with model:
            return await model.generate(messages, config=GenerateConfig(max_retries=0))

    return asyncio.run(once())


def test_every_question_of_a_run_is_recognised_from_its_words() -> None:
    for question in every_question():
        assert inspect_provider.read_chat(write_messages(question)) == question


@pytest.mark.drill
def test_the_embedded_viewer_answers_as_in_a_run_and_nothing_else() -> None:
    model, viewer = get_model("embedded/conse", memoize=False), load("embedded/conse")
    for strategy, mirrored in (("simple", False), ("simple", True), ("isq", False)):
        question = Question(build(strategy, GUITARIST, mirrored=mirrored), (CALM,))
        output = generate(model, write_messages(question))
        here = asyncio.run(viewer.ask(question))
        assert output.completion == here.text
        assert output.metadata["p_yes"] == pytest.approx(here.p_yes)
        assert output.metadata["reason"] == here.reason
    with pytest.raises(BadConfig, match="own questions only"):
        generate(model, [ChatMessageUser(content="Hello?")])


def test_a_local_model_answers_through_its_provider(tmp_path: Path) -> None:
    folder = tiny.save_llava(tmp_path / "tiny")
    model = get_model(f"hfvlm/{folder}", memoize=False, device="cpu")
    question = Question(build("simple", GUITARIST), (CALM,))
    output = generate(model, write_messages(question))
    assert output.completion == "No"
    assert 0 < output.metadata["p_yes"] < 0.5
    assert output.usage.output_tokens == 1

    sent = ContentImage(image="data:image/jpeg;base64," + base64.b64encode(CALM).decode())
    free = [ContentText(text="What is this?"), sent]
    said = generate(
        get_model(f"hfvlm/{folder}", memoize=False, device="cpu"), [ChatMessageUser(content=free)]
    )
    assert said.usage.output_tokens > 1
    assert said.completion


def test_a_scripted_filter_is_a_content_filter() -> None:
    output = generate(get_model("scripted/filter", memoize=False), [ChatMessageUser(content="?")])
    assert output.stop_reason == "content_filter"


def test_conversations_and_strange_pictures_are_refused() -> None:
    user = ChatMessageUser(content="Would you?")
    chats: list[list[ChatMessage]] = [
        [user, ChatMessageAssistant(content="Yes"), user],
        [user, user],
        [ChatMessageSystem(content="You are.")],
        [],
    ]
    for chat in chats:
        with pytest.raises(BadConfig, match="one question at a time"):
            inspect_provider.read_chat(chat)
    elsewhere = ContentImage(image="https://example.org/a.jpg")
    with pytest.raises(BadConfig, match="must be in the chat"):
        inspect_provider.read_chat([ChatMessageUser(content=[elsewhere])])
