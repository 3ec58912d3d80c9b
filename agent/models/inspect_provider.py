"""feedsway's own models as providers of inspect_ai: ``embedded/``, ``hfvlm/`` and ``scripted/``.

Loaded with `agent.evaluation.inspect_plugin`, never by feedsway itself. A chat that
holds one of feedsway's own questions, word for word, is answered as in a run; any other chat is
answered in free words, where the model has any.
"""

from __future__ import annotations

import base64
from itertools import product
from typing import Any

from inspect_ai.model import (
    ChatMessage,
    ChatMessageSystem,
    ChatMessageUser,
    ContentImage,
    ContentText,
    GenerateConfig,
    ModelAPI,
    ModelOutput,
    ModelUsage,
    get_model,
    modelapi,
)
from inspect_ai.model._providers.mockllm import MockLLM  # has no public name
from inspect_ai.tool import ToolChoice, ToolInfo

from agent.errors import BadConfig, Filtered
from agent.models import Question, Reply, load
from personas import strategies
from personas.persona import Persona
from personas.strategies import Prompt


class OwnModel(ModelAPI):
    """One of feedsway's models behind inspect_ai's interface."""

    family = ""

    def __init__(
        self,
        model_name: str,
        base_url: str | None = None,
        api_key: str | None = None,
        config: GenerateConfig = GenerateConfig(),  # noqa: B008
        **settings: Any,
    ) -> None:
        super().__init__(model_name, base_url, api_key, [], config)
        self._model = load(f"{self.family}/{model_name}", **settings)

    async def generate(  # the names are inspect_ai's
        self,
        input: list[ChatMessage],  # noqa: A002
        tools: list[ToolInfo],  # noqa: ARG002
        tool_choice: ToolChoice,  # noqa: ARG002
        config: GenerateConfig,  # noqa: ARG002
    ) -> ModelOutput:
        """Answer a chat of one turn."""
        question = read_chat(input)
        if question.prompt.strategy == _FREE and not self._model.capabilities.writes_text:
            raise BadConfig(
                f"{self._model.name} answers feedsway's own questions only. "
                "Type: python -m agent judge-check"
            )
        try:
            reply = await self._model.ask(question)
        except Filtered:
            return ModelOutput.from_content(self._model.name, "", stop_reason="content_filter")
        return _output(self._model.name, reply)

    async def aclose(self) -> None:
        await self._model.close()


class _Embedded(OwnModel):
    family = "embedded"


class _Hfvlm(OwnModel):
    family = "hfvlm"


class _Scripted(OwnModel):
    family = "scripted"


@modelapi("embedded")
def embedded() -> type[ModelAPI]:
    return _Embedded


@modelapi("hfvlm")
def hfvlm() -> type[ModelAPI]:
    return _Hfvlm


@modelapi("scripted")
def scripted() -> type[ModelAPI]:
    return _Scripted


_FREE = "free"


def keep_mock_offline() -> None:
    """Have inspect_ai's mock model, if it is asked, tell a usage of nothing.

    It would else fetch a tokenizer to count with.
    """
    try:
        api: Any = get_model().api
    except ValueError:  # no model is named yet
        return
    if isinstance(api, MockLLM) and not callable(api.outputs):
        api.outputs = (_without_usage(output) for output in api.outputs)


def _without_usage(output: ModelOutput) -> ModelOutput:
    return output.model_copy(update={"usage": output.usage or ModelUsage()})


def read_chat(messages: list[ChatMessage]) -> Question:
    """Read a chat as a question: one of feedsway's own where its words are, else a free one."""
    system = "\n".join(each.text for each in messages if isinstance(each, ChatMessageSystem))
    questions = [each for each in messages if isinstance(each, ChatMessageUser)]
    if len(questions) != 1 or len(messages) > 1 + bool(system):
        raise BadConfig(
            "feedsway's own models answer one question at a time. "
            "Type: inspect eval --model PROVIDER/MODEL for a conversation"
        )
    content = questions[0].content
    parts = [ContentText(text=content)] if isinstance(content, str) else content
    frames = tuple(_picture(part.image) for part in parts if isinstance(part, ContentImage))
    user = "\n".join(part.text for part in parts if isinstance(part, ContentText))
    own = _own_question(system, user)
    if own is not None:
        return Question(own[0], frames, explain=own[1])
    prompt = Prompt(
        strategy=_FREE,
        kind="choice",
        system=system,
        user=user,
        traits=(),
        mirrored=False,
        sha256="",
    )
    return Question(prompt, frames, explain=True)


def _own_question(system: str, user: str) -> tuple[Prompt, bool] | None:
    """The prompt with these very words, and whether it asks for a reason."""
    traits = tuple(line[2:] for line in system.splitlines() if line.startswith("- "))
    persona = Persona(id="chat", traits=traits) if 3 <= len(traits) <= 6 else None
    for strategy in strategies.strategies():
        if persona is None and strategy != "plain":
            continue
        wordings = range(strategies.paraphrases(strategy))
        for paraphrase, mirrored, explain in product(wordings, (False, True), (False, True)):
            prompt = strategies.build(
                strategy, persona, mirrored=mirrored, paraphrase=paraphrase, explain=explain
            )
            if (prompt.system, prompt.user) == (system, user):
                return prompt, explain
    return None


def _picture(image: str) -> bytes:
    head, _, body = image.partition(";base64,")
    if not head.startswith("data:image/"):
        raise BadConfig("A picture must be in the chat. Type: inspect_ai.util.materialize_media()")
    return base64.b64decode(body)


def _output(name: str, reply: Reply) -> ModelOutput:
    output = ModelOutput.from_content(name, reply.text)
    output.metadata = {"p_yes": reply.p_yes, "reason": reply.reason, **reply.notes}
    if reply.input_tokens is not None:
        prompt_tokens, reply_tokens = reply.input_tokens, reply.output_tokens or 0
        output.usage = ModelUsage(
            input_tokens=prompt_tokens,
            output_tokens=reply_tokens,
            total_tokens=prompt_tokens + reply_tokens,
        )
    return output
