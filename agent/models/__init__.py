"""Models by name. Nothing heavy is loaded before ``load`` is called.

=====================  ==========================================================================
``embedded/conse``     the zero-shot viewer that ships with feedsway: offline, and no VLM
``scripted/…``         answers by rule, for tests and teaching (`agent.models.scripted`)
``hfvlm/<id or path>`` a vision-language model on this machine, through transformers
                       (`agent.models.local_vlm`)
``<provider>/<name>``  a model that someone serves, through inspect_ai (`agent.models.api`)
``<plug-in>/<name>``   a model of somebody else's package (`agent.models.custom_model`)
=====================  ==========================================================================

What each can do is declared in `agent.models.providers`. The first and the third are kept loaded by
a worker, which all processes share (`agent.models.local_server.warm_model`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from agent.errors import BadConfig, UnknownName
from agent.model_settings import ModelSettings
from agent.models.base import Capabilities, Model, Question, Reply
from agent.models.providers import (
    EMBEDDED_PROVIDER,
    LOCAL_VLM_PROVIDER,
    PLUG_INS,
    PROVIDERS,
    SCRIPTED_PROVIDER,
    SERVED_PROVIDERS,
    check_access,
    check_settings,
    find_capabilities,
    parse_model_name,
)
from store.cluster.cluster_address import ClusterAddress

__all__ = [
    "Capabilities",
    "Model",
    "ModelRequest",
    "Question",
    "Reply",
    "check",
    "check_access",
    "check_batch",
    "check_connections",
    "check_looks",
    "check_persona",
    "check_revision",
    "check_settings",
    "find_capabilities",
    "known",
    "load",
    "load_here",
    "sent_to",
]

AS_IT_IS = ModelSettings()
_EMBEDDED = "embedded/conse"
_MAKERS = {
    "claude": "anthropic",
    "gemini": "google",
    "gpt-": "openai",
    "grok": "grok",
    "o1": "openai",
    "o3": "openai",
    "o4": "openai",
    "pixtral": "mistral",
}
"""How names of models begin that are often typed without their provider."""


@dataclass(frozen=True)
class ModelRequest:
    """A model that is to be asked in bulk, by its name, and how."""

    name: str
    revision: str | None = None
    """Declared of a served model, whose weights nobody here can see."""
    settings: ModelSettings = AS_IT_IS
    connections: int | None = None
    """Questions to a served model under way at once; ``None``: as many as it answers well."""
    batch: bool = False
    """Whether its provider's batch service is asked, at about half the price."""
    on: ClusterAddress | None = None
    """Cluster whose nodes load a local model; a served one is asked from here all the same."""

    @property
    def cluster(self) -> ClusterAddress | None:
        """The cluster that answers; ``None``: the model is asked, or loaded, by this machine."""
        return self.on if find_capabilities(self.name).in_process else None

    def check(self, environment: Mapping[str, str]) -> None:
        """Refuse what cannot be asked so, or not without a key; loads nothing."""
        check(self.name)
        check_revision(self.name, self.revision)
        check_settings(self.name, self.settings)
        check_connections(self.name, self.connections)
        check_batch(self.name, batch=self.batch)
        check_access(self.name, environment)


def known() -> tuple[str, ...]:
    """Return the names that can be typed, those of served models as patterns."""
    from agent.models import scripted

    return (
        _EMBEDDED,
        *(f"scripted/{script}" for script in scripted.SCRIPTS),
        "hfvlm/…",
        *(f"{provider.name}/…" for provider in SERVED_PROVIDERS),
        *(f"{name}/…" for name in PLUG_INS.names()),
    )


def check(name: str) -> None:
    """Refuse a name that nothing answers to, or with wrong settings, without loading anything."""
    parts = parse_model_name(name)
    PLUG_INS.find(parts.provider.name)  # refuses a name that is ours and a package's
    if parts.provider is SCRIPTED_PROVIDER:
        from agent.models import scripted

        scripted.load(name)
    elif parts.provider is LOCAL_VLM_PROVIDER:
        from agent.models import local_checkpoint

        local_checkpoint.check(parts.model)
    elif parts.provider is EMBEDDED_PROVIDER:
        if name != _EMBEDDED:
            raise _unknown(name)
    elif parts.provider.plug_in is not None:
        if not parts.rest:
            raise UnknownName("model", name, (), f"Type: --model {name}/NAME")
    elif parts.provider.name not in PROVIDERS or not parts.rest:
        raise _unknown(name)


def check_persona(name: str, persona: str, traits: Iterable[str]) -> None:
    """Refuse a persona whose language a model does not read."""
    from personas.persona import is_english

    if find_capabilities(name).english_only and not is_english(traits):
        raise BadConfig(
            f"{name} reads English only, and the traits of {persona} are in another language: it "
            "would find next to nothing that fits them. Write them in English, or "
            "type: --model openai/gpt-4o"
        )


def check_revision(name: str, revision: str | None) -> None:
    """Refuse a revision of a model whose weights are here to be read."""
    if revision is not None and find_capabilities(name).in_process:
        raise BadConfig(
            f"{name} runs here, and its revision is read from its files. "
            "Type: the same without --model-revision"
        )


def check_connections(name: str, at_once: int | None) -> None:
    """Refuse a number of connections to a model that has none."""
    if at_once is not None and find_capabilities(name).in_process:
        raise BadConfig(
            f"{name} runs here, and there are no connections to it. "
            "Type: the same without --connections"
        )


def check_batch(name: str, *, batch: bool) -> None:
    """Refuse a batch of a model whose provider has no batch service that is known here."""
    if batch and parse_model_name(name).batch_service is None:
        raise BadConfig(
            f"No batch service is known for {name}; there are those of "
            f"{', '.join(each.name for each in SERVED_PROVIDERS if each.batch_service)}. "
            "Type: the same without --batch"
        )


def check_looks(name: str) -> None:
    """Refuse a model that takes no pictures where it would be shown some."""
    if not find_capabilities(name).takes_pictures:
        raise BadConfig(
            f"{name} takes no pictures. It can be asked about descriptions alone. Type: "
            f"python -m agent spectrum --model {name} --describe-by PROVIDER/MODEL"
        )


def _unknown(name: str) -> UnknownName:
    maker = next((maker for begin, maker in _MAKERS.items() if name.startswith(begin)), None)
    if maker is not None:
        fix = f"A served model is named with its provider. Type: --model {maker}/{name}"
        return UnknownName("model", name, (), fix)
    fix = f"Served ones are written PROVIDER/NAME, as in openai/gpt-4o. Type: --model {_EMBEDDED}"
    return UnknownName("model", name, known(), fix)


def load(
    name: str,
    revision: str | None = None,
    settings: ModelSettings = AS_IT_IS,
    at_once: int | None = None,
    batch: bool = False,
    **options: Any,
) -> Model:
    """Load a model by name; refuses what the checks of this module refuse.

    Parameters
    ----------
    revision
        Declared of a served model, whose weights nobody here can see.
    at_once
        Questions to a served model under way at the same time; ``None``: as many as it takes well.
    batch
        Whether a served model is asked through its provider's batch service.
    **options
        ``device`` of an embedded or local one, fields of inspect_ai's ``GenerateConfig`` of others.
    """
    check(name)
    check_revision(name, revision)
    check_settings(name, settings)
    check_connections(name, at_once)
    check_batch(name, batch=batch)
    if batch:
        from agent.models.batches.batched_model import BatchedModel  # loads inspect_ai: a second

        return BatchedModel.load(name, revision, settings, at_once, **options)
    if parse_model_name(name).provider.warm:
        from agent.models.local_server.warm_model import open_warm_model

        if (warm := open_warm_model(name, settings.chosen | options)) is not None:
            return warm
    return load_here(name, revision, settings, at_once, **options)


def load_here(
    name: str,
    revision: str | None = None,
    settings: ModelSettings = AS_IT_IS,
    at_once: int | None = None,
    **options: Any,
) -> Model:
    """Load a model in this process, whatever a worker has loaded already; as `load`."""
    provider = parse_model_name(name).provider
    if provider is EMBEDDED_PROVIDER:
        from agent.models.embedded_viewer.zero_shot import ConseViewer  # loads torch: seconds

        return ConseViewer.load(**settings.chosen | options)
    if provider is SCRIPTED_PROVIDER:
        from agent.models import scripted

        return scripted.load(name, **options)
    if provider is LOCAL_VLM_PROVIDER:
        from agent.models.local_vlm import HfVlm  # loads torch and transformers: seconds

        return HfVlm.load(name, **settings.chosen | options)
    if provider.plug_in is not None:
        from agent.models.custom_model import open_model

        return open_model(provider.plug_in, name)
    from agent.models.api import ServedModel  # loads inspect_ai: a second

    return ServedModel.load(name, revision, settings, at_once, **options)


def sent_to(name: str) -> str | None:
    """Say what leaves this process for whom when a model is asked; ``None`` where nothing does.

    A served model may well run on this machine; what a key or an address leads to, only its owner
    knows.
    """
    parts = parse_model_name(name)
    if parts.provider.capabilities.in_process:
        return None
    return (
        f"Frames of the videos watched, which may show strangers, and the persona's sentences "
        f"are sent to {parts.service}, who may keep them. docs/models.md says what to think of "
        "first."
    )
