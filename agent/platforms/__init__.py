"""The sites that can be watched, by name."""

from __future__ import annotations

from importlib import import_module

from agent.errors import UnknownName
from agent.platforms.base import Platform

NAMES = ("playground", "tiktok", "youtube", "instagram", "replay")


def load(name: str) -> Platform:
    if name not in NAMES:
        raise UnknownName("platform", name, NAMES, f"Type: --platform {'|'.join(NAMES)}")
    platform: Platform = import_module(f"agent.platforms.{name}").PLATFORM
    return platform
