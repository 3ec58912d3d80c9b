"""The sites that can be watched, by name."""

from __future__ import annotations

from importlib import import_module

from agent.drivers.base import PageHooks
from agent.errors import UnknownName
from agent.platforms.base import Platform
from store.runs.recorded_model_names import REPLAY

NAMES = ("playground", "tiktok", "youtube", "instagram", "replay")
RECORDED_RUN = Platform(
    REPLAY, PageHooks(), (), lambda _: [], live=False, recorded=True, expected=()
)
"""A recorded run as a platform: its metadata come from its ledger."""


def load_platform(name: str) -> Platform:
    if name not in NAMES:
        raise UnknownName("platform", name, NAMES, f"Type: --platform {'|'.join(NAMES)}")
    if name == RECORDED_RUN.name:
        return RECORDED_RUN
    platform: Platform = import_module(f"agent.platforms.{name}").PLATFORM
    return platform
