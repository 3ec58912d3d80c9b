"""The window of our own: a browser without a protocol, which ends with the run whatever it does."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

import pytest

from agent.drivers.desktop import screen as screens
from agent.drivers.desktop import window as windows
from agent.drivers.desktop.window import PlainOptions, PlainWindow
from agent.drivers.web import browser as browsers
from agent.errors import BadConfig, BrowserLost
from tests.agent.drivers.desktop.test_driver import forget_pyautogui
from tests.agent.drivers.web.test_driver import made_executable


def a_window(program: str) -> PlainWindow:
    return PlainWindow(PlainOptions(browsers.find_browser(program), "about:blank", (640, 480)))


@pytest.mark.timeout(30)
@pytest.mark.parametrize(
    ("manner", "code"), [("exit 0", 0), ("while true; do sleep 0.05; done", -signal.SIGKILL)]
)
def test_a_browser_that_ended_by_itself_or_will_not_end_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, manner: str, code: int
) -> None:
    async def scenario() -> None:
        window = a_window(program)
        await window.open()
        process = window._process
        assert process is not None
        for _ in range(2000):
            if begun.exists():
                break
            await asyncio.sleep(0.01)
        if code == 0:
            await process.wait()
            await asyncio.sleep(0.1)  # its transport is closed as well
        await window.close()
        assert process.returncode == code
        await window.close()

    monkeypatch.setattr(windows, "END_S", 0.2)
    begun = tmp_path / "begun"
    program = made_executable(tmp_path / "browser", f"trap '' TERM; touch {begun}; {manner}")
    asyncio.run(scenario())


def test_a_browser_that_is_gone_or_elsewhere_opens_no_window(tmp_path: Path) -> None:
    program = made_executable(tmp_path / "browser", "exit 0")
    window = a_window(program)
    Path(program).unlink()
    with pytest.raises(BrowserLost, match=r"/browser did not start: .*No such file"):
        asyncio.run(window.open())
    asyncio.run(window.close())
    with pytest.raises(BadConfig, match=r"needs a browser on this screen\. Type: --browser"):
        a_window("ws://127.0.0.1:1/")


@pytest.mark.filterwarnings(  # Xlib leaves the socket that it could not connect
    "ignore:Exception ignored in. <socket:pytest.PytestUnraisableExceptionWarning"
)
def test_where_there_is_no_screen_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("WAYLAND_DISPLAY", "XDG_SESSION_TYPE"):
        monkeypatch.delenv(name, raising=False)
    forget_pyautogui()
    monkeypatch.setenv("DISPLAY", ":4711")
    with pytest.raises(
        BadConfig, match=r"no screen to take .*: Cannot connect to display: .*type: "
    ):
        screens.Screen()
    with pytest.raises(BadConfig, match=r"no screen to take .*: Can't connect .*4711"):
        screens._pyautogui()
    forget_pyautogui()
    monkeypatch.setitem(sys.modules, "pyautogui", None)
    with pytest.raises(BadConfig, match=r"no keyboard to use: .*pyautogui.*\. On a desktop"):
        screens._pyautogui()
    monkeypatch.setenv("WAYLAND_DISPLAY", "wayland-0")
    with pytest.raises(BadConfig, match="Wayland keeps the screen from programs"):
        screens._pyautogui()
