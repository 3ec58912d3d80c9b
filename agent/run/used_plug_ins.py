"""Which plug-ins a run or a sitting uses, as its first line names them."""

from __future__ import annotations

from agent import platforms
from agent.models.providers import parse_model_name
from agent.run_config import RunConfig
from personas import strategies
from store.encoders import registry
from store.plug_ins.entry_points import PlugIn
from store.runs.run_provenance import PlugInMark


def mark_judge(model: str, strategy: str) -> tuple[PlugInMark, ...]:
    """Return the plug-ins that judge; raises ``PlugInFault`` as loading them does."""
    return _marks(parse_model_name(model).provider.plug_in, strategies.PLUG_INS.find(strategy))


def mark_run(config: RunConfig, encoder: str | None) -> tuple[PlugInMark, ...]:
    """Return the plug-ins that a run judges, reads its feed and keeps its frames with."""
    judging = mark_judge(config.model, config.strategy)
    embeds = None if encoder is None else registry.find_plug_in(encoder)
    return (*judging, *_marks(platforms.PLUG_INS.find(config.platform), embeds))


def _marks(*found: PlugIn | None) -> tuple[PlugInMark, ...]:
    return tuple(PlugInMark.of(each) for each in found if each is not None)
