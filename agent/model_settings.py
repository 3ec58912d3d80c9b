"""How a model is asked, beside the question: temperature, effort, length of a reply, precision.

A setting that is left out is the model's own. Only what was set counts in hashes and keys.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from agent.errors import BadConfig

Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]


class ModelSettings(BaseModel):
    """How a model is asked; ``None`` leaves a setting to the service or the checkpoint."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    temperature: float | None = Field(None, ge=0, le=2)
    """Of a served model's sampling; a local one never samples."""
    reasoning_effort: Effort | None = None
    """How long a served model thinks before it replies."""
    reasoning_tokens: int | None = Field(None, ge=1)
    """Tokens that a served model may think in, at most."""
    max_tokens: int | None = Field(None, ge=1)
    """Tokens of a served model's reply at most, thoughts included; ``None``: 1,024."""
    logprobs: Annotated[bool | None, AfterValidator(lambda wanted: wanted or None)] = None
    """Whether a served model tells the probabilities of its first token, for ``p_yes``."""
    device: str | None = Field(None, min_length=1)
    """Of a local model: ``cuda``, ``cuda:1``, ``mps``, ``cpu``."""
    dtype: Literal["float32", "bfloat16", "float16"] | None = None
    """Precision of a local model's weights."""
    attention: str | None = Field(None, min_length=1)
    """How a local model computes attention, by transformers' own names, such as ``sdpa``."""
    quantization: str | None = Field(None, min_length=1)
    """How a local model's weights are made smaller when they are loaded."""
    batch_size: int | None = Field(None, ge=1)
    """Questions that a local model answers together, at most."""

    @property
    def chosen(self) -> dict[str, Any]:
        """What was set, by name."""
        return self.model_dump(mode="json", exclude_none=True)

    @classmethod
    def parse(cls, words: Iterable[str]) -> ModelSettings:
        """Read settings as they are typed; raises ``BadConfig``.

        Parameters
        ----------
        words
            ``NAME=VALUE`` each, or several of them with commas between.
        """
        chosen: dict[str, str] = {}
        for word in (part.strip() for each in words for part in each.split(",")):
            typed, equals, value = word.partition("=")
            name = typed.strip().replace("-", "_")
            if not equals or name not in cls.model_fields or name in chosen:
                problem = "is given twice" if name in chosen else "is no setting of a model"
                raise BadConfig(
                    f"{word!r} {problem}; there are {', '.join(cls.model_fields)}. "
                    "Type: --model-setting temperature=0"
                )
            chosen[name] = value.strip()
        try:
            return cls.model_validate(chosen)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            wrong, problem = str(first["loc"][0]), first["msg"]
            raise BadConfig(
                f"{wrong}={first['input']} cannot be set: {problem[:1].lower()}{problem[1:]}. "
                f"Type: --model-setting {wrong}={EXAMPLES[wrong]}"
            ) from None


EXAMPLES: dict[str, str] = {
    "temperature": "0",
    "reasoning_effort": "low",
    "reasoning_tokens": "2048",
    "max_tokens": "4096",
    "logprobs": "true",
    "device": "cuda",
    "dtype": "bfloat16",
    "attention": "sdpa",
    "quantization": "bitsandbytes-4bit",
    "batch_size": "4",
}
"""A value of each setting, to type."""

OF_LOCAL_MODELS = frozenset({"device", "dtype", "attention", "quantization", "batch_size"})
OF_SERVED_MODELS = frozenset(ModelSettings.model_fields) - OF_LOCAL_MODELS
