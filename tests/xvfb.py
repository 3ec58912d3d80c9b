"""A screen of one's own, drawn by Xvfb, and a person who sits at it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

if sys.platform == "linux":  # elsewhere these tests skip, and pyautogui brings no Xlib
    from Xlib import XK, X, display, error
    from Xlib.ext import xtest

MISSING = "Xvfb draws the screen of this test. Type: make browser, or sudo apt-get install xvfb"


@contextmanager
def screen(width: int, height: int, folder: Path) -> Iterator[Person]:
    """Start a screen, on which programs that are started meanwhile draw; yield who sits at it."""
    if sys.platform != "linux":
        pytest.skip("a desktop that a test may use is drawn by Xvfb, on Linux")
    if shutil.which("Xvfb") is None:
        pytest.fail(MISSING)
    ours, theirs = os.pipe()
    command = ["Xvfb", "-displayfd", str(theirs), "-screen", "0", f"{width}x{height}x24"]
    with subprocess.Popen(
        [*command, "-nolisten", "tcp", "-noreset"], pass_fds=(theirs,), stderr=subprocess.DEVNULL
    ) as server:
        os.close(theirs)
        with os.fdopen(ours) as told:
            number = told.readline().strip()  # written once the screen is ready
        assert number, "Xvfb did not start"
        keys = folder / "Xauthority"
        keys.touch()
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("DISPLAY", f":{number}")
            patch.setenv("XAUTHORITY", str(keys))
            try:
                yield Person()
            finally:
                server.terminate()


class Person:
    """Someone at the screen, who presses keys, moves the pointer and moves windows."""

    @contextmanager
    def holding(self, key: str) -> Iterator[None]:
        """Hold a key down for a while."""
        with closing(display.Display()) as desk:
            code = desk.keysym_to_keycode(XK.string_to_keysym(key))
            xtest.fake_input(desk, X.KeyPress, code)
            desk.sync()
            yield
            xtest.fake_input(desk, X.KeyRelease, code)
            desk.sync()

    def point(self, x: int, y: int) -> None:
        """Move the pointer."""
        with closing(display.Display()) as desk:
            desk.screen().root.warp_pointer(x, y)
            desk.sync()

    def move_windows(self, x: int, y: int) -> None:
        """Move every window that is as large as a browser's."""
        with closing(display.Display()) as desk:
            for window in _browsers(desk):
                window.configure(x=x, y=y)
            desk.sync()

    def resize_windows(self, width: int, height: int) -> None:
        """Give every window that is as large as a browser's another size."""
        with closing(display.Display()) as desk:
            for window in _browsers(desk):
                window.configure(width=width, height=height)
            desk.sync()

    def count_windows(self) -> int:
        """Count the windows that are seen and as large as a browser's."""
        with closing(display.Display()) as desk:
            seen = []
            for window in _browsers(desk):
                with suppress(error.BadDrawable, error.BadWindow):  # closed in this moment
                    seen.append(window.get_attributes().map_state)
            return seen.count(X.IsViewable)

    def press(self, key: str) -> None:
        """Press and release a key."""
        with self.holding(key):
            pass

    @contextmanager
    def covering(self, x: int, y: int, width: int, height: int) -> Iterator[None]:
        """Have the window of another program, painted in one colour, above all others."""
        with closing(display.Display()) as desk:
            black = desk.screen().black_pixel
            root = desk.screen().root
            window = root.create_window(x, y, width, height, 0, 24, background_pixel=black)
            window.set_wm_class("notes", "Notes")
            window.set_wm_name("Dear diary")
            window.map()
            window.configure(stack_mode=X.Above)
            desk.sync()
            yield
            window.destroy()
            desk.sync()


def _browsers(desk: display.Display) -> list[Any]:
    found = []
    for window in desk.screen().root.query_tree().children:
        with suppress(error.BadDrawable, error.BadWindow):  # closed in this moment
            if window.get_geometry().width > 400:
                found.append(window)
    return found
