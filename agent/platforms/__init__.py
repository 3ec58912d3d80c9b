"""The sites that can be watched, by name."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from agent.drivers.base import PageHooks
from agent.errors import BadConfig, UnknownName
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


def load_platform(name: str, adapter: Path | None = None) -> Platform:
    """Return a platform by its name, described by a user's adapter file where one is given.

    Raises
    ------
    UnknownName, BadConfig, BadAdapter
        There is no such platform; it has no adapter file; the file cannot be used.
    """
    if name not in NAMES:
        raise UnknownName("platform", name, NAMES, f"Type: --platform {'|'.join(NAMES)}")
    if name == RECORDING.name:
        return RECORDING if adapter is None else RECORDING.marked_by(adapter)
    if name == RECORDED_RUN.name:
        platform = RECORDED_RUN
    else:
        platform = import_module(f"agent.platforms.{name}").PLATFORM
    if adapter is None:
        return platform
    if platform.adapter is None:
        raise BadConfig(f"{name} has no adapter file. Type: the same without --adapter")
    return platform.described_by(adapter, own=True)
