"""Eyes and hands on the user's desktop.

Everything here blocks and belongs to one thread: a connection to a display is not shared.
"""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Callable
from contextlib import redirect_stdout, suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agent.drivers.desktop.window import open_stack
from agent.errors import BadConfig, BrowserLost

Picture = NDArray[np.uint8]
"""Rows, columns, and blue, green, red and one unused value."""
WAYLAND = (
    "Wayland keeps the screen from programs. Sign in to an X11 session (often named "
    "'... on Xorg'), then type: python -m agent doctor --driver desktop"
)
NO_DISPLAY = (
    "There is no screen to take or no keyboard to use: {why}. On a desktop, type: "
    "python -m agent doctor --driver desktop"
)
NO_XAUTHORITY = "The screen's key file is missing. Type: touch ~/.Xauthority"
ESC = "Escape"
UNWANTED = ("mouseinfo", "pyscreeze")
"""Parts that pyautogui does without: the one ends the process at its import where Tk is missing,
the other starts processes and leaves their pipes open."""


class Screen:
    """All monitors as one picture, and the keyboard; ``BadConfig`` where there are none."""

    def __init__(self) -> None:
        import mss
        from mss.exception import ScreenShotError

        self._fault = ScreenShotError
        self._asked: str | None = None
        try:
            self._mss = mss.MSS()
            picture = self.shot()
        except (ScreenShotError, BrowserLost) as error:
            raise BadConfig(explain_no_screen(str(error))) from error
        self.size = (picture.shape[1], picture.shape[0])
        try:
            with redirect_stdout(sys.stderr):  # Xlib prints its warnings; stdout is for results
                self._hands: Any = _pyautogui()
                self._escaped, self._stop_listening = _listen()
                self.windows, self._stop_listing = open_stack()
        except BadConfig:
            self._mss.close()
            raise
        self._hands.PAUSE = 0  # what a key does is seen on the screen, not waited for
        self.hears_esc = self._escaped is not None

    def shot(self) -> Picture:
        try:
            taken = self._mss.grab(self._mss.monitors[0])
        except self._fault as error:
            raise BrowserLost(f"the screen cannot be taken: {error}") from error
        return np.frombuffer(taken.raw, np.uint8).reshape(taken.height, taken.width, 4)

    def press(self, key: str) -> None:
        """Press and release a key, unless the pointer rests in a corner of the screen."""
        try:
            self._hands.press(key)
        except self._hands.FailSafeException:
            self._asked = "the pointer is in a corner of the screen"

    def pointer(self) -> tuple[int, int]:
        """Where the pointer is, in the picture's pixels: a dense screen has several a point."""
        x, y = self._hands.position()
        dense = self.size[0] / max(1, self._hands.size()[0])
        return (round(x * dense), round(y * dense)) if dense >= 1.5 else (x, y)

    def stop_asked(self) -> str | None:
        """Why the user wants an end: the pointer in a corner, or Esc."""
        if self._asked is None and self._escaped is not None and self._escaped():
            self._asked = "Esc was pressed"
        try:
            self._hands.failSafeCheck()
        except self._hands.FailSafeException:
            self._asked = "the pointer is in a corner of the screen"
        return self._asked

    def close(self) -> None:
        self._stop_listening()
        self._stop_listing()
        self._mss.close()


def explain_no_screen(why: str) -> str:
    if os.environ.get("XDG_SESSION_TYPE") == "wayland" or "WAYLAND_DISPLAY" in os.environ:
        return WAYLAND
    return NO_DISPLAY.format(why=why)


def _pyautogui() -> Any:
    """Load pyautogui, which connects to the display when it is imported."""
    known = {name: sys.modules.get(name) for name in UNWANTED}
    sys.modules.update(dict.fromkeys(UNWANTED))  # type: ignore[arg-type]
    try:
        import pyautogui
    except ImportError as error:
        raise BadConfig(explain_no_screen(str(error))) from error
    except Exception as error:  # Xlib's errors, by name since only Linux has it; all else goes on
        if type(error).__name__ == "XauthError":
            raise BadConfig(NO_XAUTHORITY) from error
        if type(error).__module__.startswith("Xlib"):
            raise BadConfig(explain_no_screen(str(error))) from error
        raise
    finally:
        for name, module in known.items():
            del sys.modules[name]
            if module is not None:
                sys.modules[name] = module
    return pyautogui


Heard = Callable[[], bool]


def _listen() -> tuple[Heard | None, Callable[[], None]]:
    """Return what tells whether Esc was pressed, if that can be known, and how to end it."""
    if platform.system() == "Linux":
        return _listen_x11()
    try:
        from pynput import keyboard
    except ImportError:
        return None, lambda: None
    heard: list[bool] = []

    def on_press(key: object) -> None:
        if key == keyboard.Key.esc:
            heard.append(True)

    listener = keyboard.Listener(on_press=on_press)
    listener.start()
    return lambda: bool(heard), listener.stop


def _listen_x11() -> tuple[Heard, Callable[[], None]]:
    """Ask the X server which keys are down. It tells every client, and takes no key away."""
    from Xlib import XK, display  # comes with pyautogui

    connection = display.Display()
    code = connection.keysym_to_keycode(XK.string_to_keysym(ESC))

    def heard() -> bool:
        keys = connection.query_keymap()
        return bool(keys[code // 8] >> code % 8 & 1)

    def close() -> None:
        with suppress(OSError):  # the server is gone already
            connection.close()

    return heard, close
