"""The sites that can be watched, by name."""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module
from pathlib import Path

from agent.drivers.base import PageHooks, SiteAnswer
from agent.errors import BadConfig, UnknownName
from agent.platforms.base import Parser, Platform
from store.plug_ins.entry_points import PLATFORMS, PlugIn, PlugInKind
from store.plug_ins.stdout_guard import print_to_stderr
from store.runs.ledger_lines import Video
from store.runs.recorded_model_names import REPLAY

NAMES = ("playground", "tiktok", "youtube", "instagram", "replay", "recording")
PLUG_INS = PlugInKind(PLATFORMS, NAMES)
"""Platforms that other people's packages add."""
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
    PlugInFault
        It is that of a package which cannot be used.
    """
    plug_in = PLUG_INS.find(name)
    if plug_in is None and name not in NAMES:
        known = (*NAMES, *PLUG_INS.names())
        raise UnknownName("platform", name, known, f"Type: --platform {'|'.join(known)}")
    if name == RECORDING.name:
        return RECORDING if adapter is None else RECORDING.marked_by(adapter)
    if plug_in is not None:
        platform = _load_plug_in(plug_in)
    elif name == RECORDED_RUN.name:
        platform = RECORDED_RUN
    else:
        platform = import_module(f"agent.platforms.{name}").PLATFORM
    if adapter is None:
        return platform
    if platform.adapter is None:
        raise BadConfig(f"{name} has no adapter file. Type: the same without --adapter")
    return platform.described_by(adapter, own=True)


def _load_plug_in(plug_in: PlugIn) -> Platform:
    """Return a package's platform: a live site, watched in a browser."""
    platform = plug_in.load()
    if not isinstance(platform, Platform):
        raise plug_in.refuse("it is no agent.platforms.base.Platform")
    if platform.name != plug_in.name:
        raise plug_in.refuse(f"its Platform is named {platform.name!r}")
    if not platform.live or platform.own_site or platform.recorded or platform.from_file:
        raise plug_in.refuse("it is not live, and feedsway serves no site of other packages")
    if not platform.url:
        raise plug_in.refuse("its Platform has no url")
    return replace(platform, parse=_guard(plug_in, platform.parse))


def _guard(plug_in: PlugIn, parse: Parser) -> Parser:
    """Return a parser that neither prints among results nor ends the process."""

    def guarded(answer: SiteAnswer) -> list[Video]:
        try:
            with print_to_stderr():
                return parse(answer)
        except SystemExit as error:
            problem = f"its parse fails with {plug_in.tell_error(error)}"
            raise plug_in.refuse(problem) from error

    return guarded
