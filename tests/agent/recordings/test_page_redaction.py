"""Odd pages: what the format cannot hold is left out, so that the walk is not lost."""

from __future__ import annotations

from typing import Any

import pytest

from agent.recordings.page_redaction import PageRedaction
from agent.recordings.recording_file import PageNode
from agent.recordings.session_redaction import Redaction

ELEMENT: dict[str, Any] = {
    "n": 1,
    "p": 0,
    "shadow": False,
    "tag": "video",
    "attributes": {},
    "box": [0, 0, 1, 1],
    "unseen": None,
    "video": None,
    "picture": False,
    "next_button": False,
}


def written(**fields: Any) -> PageNode:
    (node,) = PageRedaction(Redaction({})).nodes([ELEMENT | fields])
    return node


def test_attribute_names_that_the_format_cannot_hold_are_left_out() -> None:
    odd = {f"data-video{mark}id": "1" for mark in ":.@"} | {"data-" + "video-" * 20: "1"}
    assert written(attributes=odd | {"data-index": "3"}).attributes.keys() <= {"data-index"}


@pytest.mark.parametrize("tag", ["x-" + "y" * 70, "video:next", ":odd", "_odd"])
def test_odd_tags_are_cut_to_what_the_format_holds(tag: str) -> None:
    made = written(tag=tag).tag
    assert made is not None
    assert 2 <= len(made) <= 61


@pytest.mark.parametrize(
    ("seconds", "kept"),
    [(2.0**32, None), (float("inf"), None), (0.0, None), (None, None), (10.0**6, 1e6), (7.5, 7.5)],
)
def test_lengths_beyond_the_limit_are_not_kept(seconds: float | None, kept: float | None) -> None:
    video = written(video={"source": "a", "duration_s": seconds, "playing": True}).video
    assert video is not None
    assert video.duration_s == kept
