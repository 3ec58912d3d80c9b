"""The sites that can be watched, by name."""

from __future__ import annotations

from importlib import import_module

from agent.drivers.base import PageHooks
from agent.errors import UnknownName
from agent.platforms.base import Platform
from store.runs.recorded_model_names import REPLAY

NAMES = ("playground", "tiktok", "youtube", "instagram", "replay", "recording")
RECORDED_RUN = Platform(
    REPLAY, PageHooks(), (), lambda _: [], live=False, recorded=True, expected=()
)
"""A recorded run as a platform: its metadata come from its ledger."""
RECORDING = Platform(
    "recording", PageHooks(), (), lambda _: [], live=False, from_file=True, expected=()
)
"""A recording as a platform; the recorded site's own adapter watches it."""


def load_platform(name: str) -> Platform:
    if name not in NAMES:
        raise UnknownName("platform", name, NAMES, f"Type: --platform {'|'.join(NAMES)}")
    for made in (RECORDED_RUN, RECORDING):
        if name == made.name:
            return made
    platform: Platform = import_module(f"agent.platforms.{name}").PLATFORM
    return platform
