"""The classifier by surface: silent where texts are exchangeable, loud where length tells."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.preference_pairs.style_shortcut import shortcut
from store.results.preference_pairs import FrameSource, PreferencePair

WORDS = "lamp kite boat drum violin basket candle bicycle trumpet umbrella lantern sail".split()  # noqa: SIM905


def pairs(
    rng: np.random.Generator, videos: int, per_video: int, more: int = 0
) -> list[PreferencePair]:
    """Texts of 12 words at random; rejected ones have ``more`` words."""

    def text(count: int) -> str:
        return " ".join(rng.choice(WORDS, count)) + "."

    return [
        PreferencePair(
            source=FrameSource(
                frame=f"{video:064x}",
                phash="0" * 16,
                platform="playground",
                video=f"v{video}",
                run="r1",
                position=video,
            ),
            error="object",
            accepted=text(12),
            rejected=text(12 + more),
        )
        for video in range(videos)
        for _ in range(per_video)
    ]


def test_exchangeable_texts_are_not_told_apart() -> None:
    rng = np.random.default_rng(1)
    found = [shortcut(pairs(rng, 40, 3)) for _ in range(40)]
    assert np.mean([one.accuracy.value for one in found]) == pytest.approx(50, abs=2)
    # trained and tried parts share videos in turn, so the interval is a little too narrow: about
    # 6 of 100 false alarms; 12 of 40 come less than once in 10,000
    assert sum(one.separates for one in found) < 12


def test_one_word_more_is_found() -> None:
    found = shortcut(pairs(np.random.default_rng(2), 40, 3, more=1))
    assert found.accuracy.value > 95
    assert found.separates
    assert found.by_error["object"].value == found.accuracy.value
    assert found.differences["words"].value == pytest.approx(-1)
    assert "50 % being chance" in found.text()


def test_what_tells_nothing_is_chance_with_an_interval() -> None:
    alike = [
        pair.model_copy(update={"rejected": pair.accepted})
        for pair in pairs(np.random.default_rng(3), 30, 2)
    ]
    found = shortcut(alike)
    assert found.accuracy.value == 50
    assert found.accuracy.low < 50 < found.accuracy.high
    assert not found.separates


def test_no_pair_has_no_accuracy() -> None:
    found = shortcut([])
    assert not found.accuracy.exists
    assert not found.separates
    assert "not known" in found.text()
