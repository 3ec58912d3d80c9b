"""What a recording cannot hold of a session is left out, and the rest of the walk is kept."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from agent.doctor.site_recording import _Session
from agent.drivers.base import SiteAnswer
from agent.drivers.web.recording_driver import HeardAnswer, InlineText
from agent.platforms import load_platform
from agent.recordings.recording_file import InlineData, RecordedAnswer

HOME = "https://www.tiktok.com"


def answer(url: str, request: str | None = None) -> HeardAnswer:
    return HeardAnswer(SiteAnswer(url=url, body={"itemList": []}, request=request), 0.0)


def test_one_odd_response_does_not_lose_the_walk() -> None:
    heard: list[Any] = [
        answer(f"{HOME}/api/recommend/item_list/"),
        answer("https://[broken/item_list/"),
        answer(f"{HOME}/{'item/' * 1000}"),
        answer(f"{HOME}/api/recommend/item_list/", "cursor=" + "1" * 200_000),
    ]
    inline = [InlineText("script#a", {}, {"id": "a", "data-video.id": "1"})]
    driver: Any = SimpleNamespace(heard=heard, inline=inline, early=0)
    session = _Session(driver, load_platform("tiktok"), {}, stands=False)
    lines = list(session.lines(HOME))
    assert sum(isinstance(line, RecordedAnswer) for line in lines) == 2
    assert isinstance(lines[0], InlineData)
    assert session.left_out == 2
