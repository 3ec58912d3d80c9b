"""A screen of one's own, drawn by Xvfb, and a person who sits at it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from Xlib import XK, X, display
from Xlib.ext import xtest

MISSING = "Xvfb draws the screen of this test. Type: make browser, or sudo apt-get install xvfb"


@contextmanager
def screen(width: int, height: int, folder: Path) -> Iterator[dict[str, str]]:
    """Start a screen; yield the environment of programs that draw on it."""
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
        yield {**os.environ, "DISPLAY": f":{number}", "XAUTHORITY": str(keys)}
        server.terminate()


class Person:
    """Someone at the screen, who presses keys, moves the pointer and moves windows."""

    def __init__(self, name: str) -> None:
        self._name = name

    @contextmanager
    def holding(self, key: str) -> Iterator[None]:
        """Hold a key down for a while."""
        with closing(display.Display(self._name)) as desk:
            code = desk.keysym_to_keycode(XK.string_to_keysym(key))
            xtest.fake_input(desk, X.KeyPress, code)
            desk.sync()
            yield
            xtest.fake_input(desk, X.KeyRelease, code)
            desk.sync()

    def point(self, x: int, y: int) -> None:
        """Move the pointer."""
        with closing(display.Display(self._name)) as desk:
            desk.screen().root.warp_pointer(x, y)
            desk.sync()

    def move_windows(self, x: int, y: int) -> None:
        """Move every window that is as large as a browser's."""
        with closing(display.Display(self._name)) as desk:
            for window in desk.screen().root.query_tree().children:
                if window.get_geometry().width > 400:
                    window.configure(x=x, y=y)
            desk.sync()
