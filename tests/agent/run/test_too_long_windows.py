"""Windows longer than what the catalogue can serve anew are told, with what to type."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.cli.privacy_notice import FEWEST_OF_A_THEME, announce_repeats
from agent.playground.catalogue import load_catalogue
from agent.run_config import SiteConfig
from store.runs.ledger_lines import Windows

CLIPS = "file,caption,creator,theme,ad\na.webm,A,x,cats,\nb.webm,B,x,cats,\nc.webm,C,x,dogs,\n"


@pytest.mark.parametrize(
    ("changes", "windows", "said"),
    [
        ({}, (100, 0, 100), ""),
        ({}, (150, 10, 150), "has 300 videos and the run watches 310"),
        ({"feed": "random"}, (150, 10, 150), ""),
        ({"gain": 0}, (150, 10, 150), ""),
        ({"feed": "random"}, (3000, 0, 3000), "This catalogue has 4800 videos"),
    ],
)
def test_the_shipped_catalogue(
    changes: dict[str, object],
    windows: tuple[int, int, int],
    said: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    before, adapt, after = windows
    site = SiteConfig.model_validate(changes)
    announce_repeats(site, Windows(before=before, adapt=adapt, after=after))
    told = capsys.readouterr().err
    assert said in told
    assert bool(told) == bool(said)
    if said:
        assert "type: --before " in told


def test_a_folder_of_clips(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "captions.csv").write_text(CLIPS + "d.webm,D,x,dogs,yes\n", encoding="utf-8")
    site = SiteConfig(feed="random", catalogue=tmp_path)
    announce_repeats(site, Windows(before=1, after=2))
    assert capsys.readouterr().err == ""
    announce_repeats(site, Windows(before=2, after=2))
    told = capsys.readouterr().err
    assert "has 3 videos and the run watches 4" in told
    assert told.strip().endswith("type: --before 1 --after 1")


def test_what_is_too_short_to_repeat_is_known_without_the_catalogue() -> None:
    assert min(load_catalogue().videos_by_theme.values()) >= FEWEST_OF_A_THEME
