"""Settings of served models as inspect_ai takes them, and the ``p_yes`` that one of them brings."""

from __future__ import annotations

import inspect
from math import exp
from typing import Any

from agent.errors import BadConfig
from agent.model_settings import ModelSettings
from agent.models.base import Question
from agent.models.local_vlm import LEAST_MASS
from agent.models.paid_calls import REPLY_TOKENS
from agent.models.providers import ModelProvider, parse_model_name

_SPELLINGS = {
    word: {f"{before}{each}" for before in ("", " ") for each in (word, word.title(), word.upper())}
    for word in ("yes", "no")
}
"""Tokens that say a word alone, as of a local model."""
_OF_THINKING = frozenset({"reasoning_effort", "reasoning_tokens"})
_BUILDERS = (
    "completion_params",  # of OpenAI's protocol, and Groq's
    "completion_config",  # Anthropic's
    "chat_thinking_config",  # Google's
    "reasoning_config",  # Bedrock's
    "_grok_params",
)
"""Methods of inspect_ai's providers that make a request of a configuration."""
_REFUSED = "refused"


def config_fields(settings: ModelSettings, provider: ModelProvider) -> dict[str, Any]:
    """Return the fields of inspect_ai's ``GenerateConfig`` that settings make."""
    fields = settings.chosen
    if settings.logprobs:
        fields["top_logprobs"] = provider.most_logprobs
    return fields


def refuse_ignored(name: str, api: Any, settings: ModelSettings) -> None:
    """Refuse what the provider's package would leave out for this very model.

    A model that thinks may take no temperature and tell no probabilities, and one that does not
    think takes no effort: what is recorded must be what was sent. Raises ``BadConfig``.
    """
    _refuse_left_out(name, api, settings)
    if not parse_model_name(name).provider.knows_thinkers:
        return
    effort = settings.reasoning_effort
    thinks = api.always_reasons() or (
        api.is_gpt_5_plus()
        and (effort not in (None, "none") or (effort is None and api.reasons_by_default()))
    )
    ignored = {"temperature", "logprobs"} if thinks else set()
    if not api.has_reasoning_options():
        ignored |= {"reasoning_effort"}
    for each in sorted(ignored & settings.chosen.keys()):
        why = "it thinks before it replies" if thinks else "it does not think before it replies"
        raise BadConfig(
            f"{name} takes no setting {each}, since {why}. "
            f"Type: the same without --model-setting {each}={settings.chosen[each]}"
        )


def _refuse_left_out(name: str, api: Any, settings: ModelSettings) -> None:
    """Refuse a setting of thinking that the package refuses, or without which it sends the same."""
    request = _request(api, settings)
    for each in sorted(_OF_THINKING & settings.chosen.keys()):
        without = _request(api, settings.model_copy(update={each: None}))
        if request is not None and (request == without or request == _REFUSED != without):
            value = settings.chosen[each]
            raise BadConfig(
                f"{name} would not be sent {each}={value}, as inspect_ai asks it. "
                f"Type: the same without --model-setting {each}={value}"
            )


def _request(api: Any, settings: ModelSettings) -> Any:
    """Return what a provider's package would send of settings; ``None``: it does not say."""
    from inspect_ai._util.error import PrerequisiteError  # raised in public, kept in private
    from inspect_ai.model import GenerateConfig

    build = next((getattr(api, each) for each in _BUILDERS if hasattr(api, each)), None)
    if build is None:
        return None
    config = GenerateConfig(**{"max_tokens": REPLY_TOKENS} | settings.chosen)
    try:
        if "tools" in inspect.signature(build).parameters:
            return build(config, tools=False)
        return build(config)
    except PrerequisiteError:
        return _REFUSED


def p_yes_of(question: Question, output: Any) -> float | None:
    """Return the share of the yes tokens among the yes and no tokens where the reply begins.

    ``None`` where the service tells no probabilities, or where yes and no together hold less than
    ``LEAST_MASS`` of all of it: the model says something else first.
    """
    if question.prompt.kind != "choice" or not output.choices:
        return None
    told = output.choices[0].logprobs
    likeliest = told.content[0].top_logprobs if told is not None and told.content else None
    if not likeliest:
        return None
    yes, no = (
        sum(exp(each.logprob) for each in likeliest if each.token in _SPELLINGS[word])
        for word in ("yes", "no")
    )
    if yes + no < LEAST_MASS:
        return None
    share = yes / (yes + no)
    return 1 - share if question.prompt.mirrored else share
