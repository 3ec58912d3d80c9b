"""Windows on the screen: the one opened for the feed, and which lie over it."""

from __future__ import annotations

import asyncio
import platform
from asyncio.subprocess import DEVNULL, Process
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from tempfile import TemporaryDirectory
from typing import Any

from agent.drivers.desktop.player_detection import SLACK, Region
from agent.drivers.web import browser as browsers
from agent.errors import BadConfig, BrowserLost

END_S = 5.0
UNNAMED = "a program without a name"


@dataclass(frozen=True)
class PlainOptions:
    """What the window is opened with."""

    binary: browsers.BrowserBinary
    url: str
    size: tuple[int, int]
    position: tuple[int, int] = (0, 0)


class PlainWindow:
    """One browser with one window; no automation protocol is spoken, no rules are injected."""

    def __init__(self, plain: PlainOptions) -> None:
        if plain.binary.source == "server" or plain.binary.path is None:
            raise BadConfig(
                "The desktop driver needs a browser on this screen. Type: --browser chromium"
            )
        self._plain = plain
        self._process: Process | None = None
        self._profile: TemporaryDirectory[str] | None = None

    async def open(self) -> None:
        plain = self._plain
        self._profile = TemporaryDirectory(prefix="feedsway-", ignore_cleanup_errors=True)
        options = [
            "--no-default-browser-check",
            "--hide-crash-restore-bubble",
            f"--user-data-dir={self._profile.name}",
            "--window-size={},{}".format(*plain.size),
            "--window-position={},{}".format(*plain.position),
        ]
        try:
            self._process = await asyncio.create_subprocess_exec(
                str(plain.binary.path),
                *browsers.list_arguments(),
                *options,
                "--new-window",
                plain.url,
                stdout=DEVNULL,
                stderr=DEVNULL,
                start_new_session=True,
            )
        except OSError as error:
            raise BrowserLost(f"{plain.binary.path} did not start: {error}") from error

    async def close(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            await _end(process)
        if self._profile is not None:
            self._profile.cleanup()
            self._profile = None


async def _end(process: Process) -> None:
    with suppress(ProcessLookupError):
        process.terminate()
    try:
        async with asyncio.timeout(END_S):
            await process.wait()
    except TimeoutError:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


@dataclass(frozen=True)
class ScreenWindow:
    """One window drawn on the screen, frame included. Its title may be private: nobody reads it."""

    number: int
    program: str
    region: Region

    def __str__(self) -> str:
        place = self.region
        return f"{self.program}, {place.width}x{place.height} at {place.left},{place.top}"


Stack = tuple[ScreenWindow, ...]
"""From the bottom to the top."""
ListWindows = Callable[[], Stack | None]
"""Gives ``None`` where the window system does not say which windows there are."""


def find_owner(stack: Stack, player: Region) -> ScreenWindow | None:
    """Find the window that a player is seen in: the topmost one around its middle."""
    x, y = (player.left + player.right) // 2, (player.top + player.bottom) // 2
    middle = Region(x, y, x + 1, y + 1)
    return next((one for one in reversed(stack) if one.region.meets(middle)), None)


def find_cover(stack: Stack, owner: ScreenWindow, player: Region) -> ScreenWindow | None:
    """Find a window above the player's that lies over the player or just beside it."""
    numbers = [one.number for one in stack]
    above = stack[numbers.index(owner.number) + 1 :] if owner.number in numbers else ()
    near = player.grown(SLACK)  # a window that ends where the player begins hides the rest of it
    return next((one for one in reversed(above) if one.region.meets(near)), None)


def open_stack() -> tuple[ListWindows, Callable[[], None]]:
    """Return what lists the windows of this screen, and how to end it."""
    if platform.system() != "Linux":
        return lambda: None, lambda: None
    from Xlib import display, error  # comes with pyautogui

    connection = display.Display()

    def list_windows() -> Stack:
        try:
            return tuple(_list_x11(connection))
        except (error.ConnectionClosedError, OSError) as fault:
            raise BrowserLost(f"the screen does not say its windows: {fault}") from fault

    def close() -> None:
        with suppress(OSError):  # the server is gone already
            connection.close()

    return list_windows, close


def _list_x11(connection: Any) -> list[ScreenWindow]:
    """Ask the window manager for its windows, or without one the X server for all."""
    from Xlib import X, error

    root = connection.screen().root
    atom = connection.intern_atom("_NET_CLIENT_LIST_STACKING")
    listed = root.get_full_property(atom, X.AnyPropertyType)
    windows = (
        root.query_tree().children
        if listed is None
        else [connection.create_resource_object("window", number) for number in listed.value]
    )
    drawn = []
    for window in windows:
        with suppress(error.BadWindow, error.BadDrawable):  # closed since it was listed
            attributes = window.get_attributes()
            if attributes.map_state == X.IsViewable and attributes.win_class == X.InputOutput:
                drawn.append(_describe(window, root))
    return drawn


def _describe(window: Any, root: Any) -> ScreenWindow:
    named = window.get_wm_class()
    frame, above = window, window.query_tree().parent
    while above.id != root.id:  # a window manager puts a frame around it
        frame, above = above, above.query_tree().parent
    at = frame.get_geometry()
    edge = 2 * at.border_width
    place = Region(at.x, at.y, at.x + at.width + edge, at.y + at.height + edge)
    return ScreenWindow(window.id, named[1] if named else UNNAMED, place)
