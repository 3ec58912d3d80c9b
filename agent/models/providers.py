"""Providers of models: what the models of each can do and need, known before anything is loaded.

A model's name begins with its provider's. Here, and nowhere else, is a name taken apart.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace

from agent.errors import BadConfig
from agent.model_settings import EXAMPLES, OF_LOCAL_MODELS, ModelSettings
from agent.models.base import Capabilities
from agent.models.custom_model import read_model_class
from store.plug_ins.entry_points import MODELS, PlugIn, PlugInKind
from store.runs.recorded_model_names import INVENTING, split_model_name

SERVED = Capabilities()  # by somebody who charges for it, and of providers that nobody here knows
OWN_SERVER = Capabilities(costs=False)  # by a server of one's own
EMBEDDED = Capabilities(
    costs=False,
    uses_tokens=False,
    in_process=True,
    writes_text=False,
    own_taste=False,
    english_only=True,
    encoder="conse",
)
SCRIPTED = Capabilities(
    costs=False, uses_tokens=False, in_process=True, looks="scripted" not in INVENTING
)
LOCAL_VLM = Capabilities(costs=False, in_process=True, trains=True, limits_itself=True)
TEXT_ONLY = Capabilities(takes_pictures=False)

_SAMPLED = frozenset({"temperature", "max_tokens"})
_THINKING = _SAMPLED | {"reasoning_effort"}
_USUAL = _THINKING | {"logprobs"}
"""What packages hand on that speak OpenAI's protocol; whether a model takes it, its service says.
"""


@dataclass(frozen=True)
class ModelProvider:
    """Whoever makes a model answer."""

    name: str
    capabilities: Capabilities = SERVED
    price_list: str | None = None  # its id in genai-prices
    keys: tuple[str, ...] = ()  # its own service needs one of these; the first is the usual one
    slashes: bool = False  # in its own names of models; elsewhere they name a service within it
    relays: bool = False  # the second part of a name is the service that answers
    server_setting: str | None = None
    """Names a server of one's own; without it inspect_ai would start one, open to the network."""
    client_retries: bool = False  # it would try each of our attempts three times
    warm: bool = False  # loaded in a worker that all processes of the machine share
    settings: frozenset[str] = _USUAL
    """Names of `ModelSettings` that its package hands on; it leaves others out, or refuses them."""
    knows_thinkers: bool = False  # it leaves settings out that a model which thinks takes not
    batch_service: str | None = None
    """Module within `agent.models.batches` that asks its batch service."""
    most_logprobs: int = 20
    """Likeliest tokens whose probability it tells, at most."""
    plug_in: PlugIn | None = None
    """Somebody else's package whose models these are."""

    def named_server(self) -> str | None:
        """Address of the server of one's own that the environment names, if any."""
        return os.environ.get(self.server_setting) if self.server_setting else None


EMBEDDED_PROVIDER = ModelProvider("embedded", EMBEDDED, warm=True, settings=frozenset({"device"}))
SCRIPTED_PROVIDER = ModelProvider("scripted", SCRIPTED, settings=frozenset())
LOCAL_VLM_PROVIDER = ModelProvider("hfvlm", LOCAL_VLM, warm=True, settings=OF_LOCAL_MODELS)
SERVED_PROVIDERS = (
    ModelProvider(
        "anthropic",
        price_list="anthropic",
        keys=("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"),
        settings=frozenset({"max_tokens", "reasoning_effort", "reasoning_tokens"}),
        batch_service="anthropic_service",
    ),
    ModelProvider("azureai", price_list="azure", settings=_SAMPLED),
    ModelProvider("bedrock", price_list="aws", settings=_THINKING | {"reasoning_tokens"}),
    ModelProvider("cloudflare", price_list="cloudflare"),
    ModelProvider("deepseek", TEXT_ONLY, price_list="deepseek", keys=("DEEPSEEK_API_KEY",)),
    ModelProvider("fireworks", price_list="fireworks"),
    ModelProvider(
        "google",
        price_list="google",
        keys=(
            "GOOGLE_API_KEY",
            "GEMINI_API_KEY",
            "VERTEX_API_KEY",
            "GOOGLE_GENAI_USE_VERTEXAI",
        ),
        settings=_USUAL | {"reasoning_tokens"},
        batch_service="google_service",
    ),
    ModelProvider("grok", price_list="x-ai", keys=("XAI_API_KEY", "GROK_API_KEY"), most_logprobs=8),
    ModelProvider("groq", price_list="groq", keys=("GROQ_API_KEY",), settings=_THINKING),
    ModelProvider("hf-inference-providers"),
    ModelProvider("litellm-proxy", settings=_THINKING),
    ModelProvider("llama-cpp-python", OWN_SERVER),
    ModelProvider("meta", settings=_THINKING),
    ModelProvider(
        "mistral",
        price_list="mistral",
        keys=("MISTRAL_API_KEY", "AZUREAI_MISTRAL_API_KEY", "AZURE_MISTRAL_API_KEY"),
        settings=_THINKING,
    ),
    ModelProvider("mockllm", OWN_SERVER),
    ModelProvider(
        "moonshot", price_list="moonshotai", settings=frozenset({"max_tokens", "reasoning_effort"})
    ),
    ModelProvider("ollama", OWN_SERVER),
    ModelProvider(
        "openai",
        price_list="openai",
        keys=("OPENAI_API_KEY",),
        client_retries=True,
        knows_thinkers=True,
        batch_service="openai_service",
    ),
    ModelProvider("openai-api", relays=True, client_retries=True),
    ModelProvider(
        "openrouter",
        price_list="openrouter",
        keys=("OPENROUTER_API_KEY",),
        slashes=True,
        settings=_USUAL | {"reasoning_tokens"},
    ),
    ModelProvider("perplexity", price_list="perplexity"),
    ModelProvider("sagemaker"),
    ModelProvider("sambanova"),
    ModelProvider("sglang", OWN_SERVER, server_setting="SGLANG_BASE_URL"),
    ModelProvider(
        "together",
        price_list="together",
        keys=("TOGETHER_API_KEY",),
        slashes=True,
        settings=_THINKING,  # its log-probabilities are of the one token that it wrote
    ),
    ModelProvider(
        "vllm", Capabilities(costs=False, starts_server=True), server_setting="VLLM_BASE_URL"
    ),
)
"""Those of inspect_ai's providers that take pictures, and one whose models read text alone."""
PLANNED_JUDGES = (
    "openai/gpt-4o",
    "anthropic/claude-sonnet-5-5",
    "google/gemini-3.8-flash",
    "openai/gpt-6-luna",
    "hfvlm/Qwen/Qwen3-VL-8B-Instruct",
)
"""Judges whose money or hours a plan tells beside those of its own; nobody ranked them here."""
PROVIDERS = {
    provider.name: provider
    for provider in (
        EMBEDDED_PROVIDER,
        SCRIPTED_PROVIDER,
        LOCAL_VLM_PROVIDER,
        *SERVED_PROVIDERS,
    )
}

PLUG_INS = PlugInKind(MODELS, frozenset(PROVIDERS))
"""Providers that other people's packages add."""


@dataclass(frozen=True)
class ModelName:
    """A model's name, taken apart."""

    provider: ModelProvider
    rest: str  # all that follows the provider, slashes included

    @property
    def service(self) -> str:
        """Who answers: the provider, or the service behind one that relays."""
        return split_model_name(self.rest)[0] if self.provider.relays else self.provider.name

    @property
    def model(self) -> str:
        """Name of the model with whoever answers."""
        return split_model_name(self.rest)[1] if self.provider.relays else self.rest

    @property
    def batch_service(self) -> str | None:
        """Of the provider itself; a service within it (``openai/azure/…``) has none here."""
        within = "/" in self.rest and not self.provider.slashes
        return None if within else self.provider.batch_service


def parse_model_name(name: str) -> ModelName:
    """Take a name apart; a provider that nobody here knows is taken for a served one.

    Raises ``PlugInFault`` where it is that of a package which cannot be used.
    """
    family, rest = split_model_name(name)
    return ModelName(PROVIDERS.get(family) or _find_plug_in(family) or ModelProvider(family), rest)


def _find_plug_in(family: str) -> ModelProvider | None:
    """Return the provider that a package adds, if one does; its code is imported."""
    plug_in = PLUG_INS.find(family)
    if plug_in is None:
        return None
    can = replace(read_model_class(plug_in).capabilities, encoder=None)  # ours is nobody else's
    return ModelProvider(family, can, settings=frozenset(), plug_in=plug_in)


def find_capabilities(name: str) -> Capabilities:
    """Return what a model of this name can do, or could where it is no more."""
    return parse_model_name(name).provider.capabilities


def check_access(name: str, settings: Mapping[str, str]) -> None:
    """Refuse a model whose key, where it is known which, is not set in the environment.

    What a service within a provider needs (``openai/azure/...``) is left to inspect_ai.
    """
    parts = parse_model_name(name)
    within = "/" in parts.rest
    keys = () if within and not parts.provider.slashes else parts.provider.keys
    if within and parts.provider.relays:
        keys = (f"{parts.service.upper().replace('-', '_')}_API_KEY",)
    if keys and not any(settings.get(key) for key in keys):
        raise BadConfig(f"{name} cannot be asked before its key is set. Type: export {keys[0]}=…")


def check_settings(name: str, settings: ModelSettings) -> None:
    """Refuse a setting that whoever answers to a name does not take."""
    provider = parse_model_name(name).provider
    refused = [each for each in settings.chosen if each not in provider.settings]
    if refused:
        takes = ", ".join(each for each in EXAMPLES if each in provider.settings) or "none"
        raise BadConfig(
            f"{name} takes no setting {refused[0]}; it takes {takes}. "
            f"Type: the same without --model-setting {refused[0]}={settings.chosen[refused[0]]}"
        )
