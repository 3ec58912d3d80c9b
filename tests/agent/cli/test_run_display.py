"""What a run shows of strangers' captions: all of it, and nothing that ends the run."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from agent.cli import cli
from agent.cli.run_display import Display
from agent.errors import ChallengeShown
from agent.run_config import RunConfig
from personas.library import find
from store.frames.frame_store import FrameStore
from store.runs.data_folder import DataFolder
from store.runs.ledger import LedgerWriter
from store.runs.ledger_lines import Judgement, Video, Windows
from store.terminal.printing import remark
from tests.store.runs.test_data_folder import modes
from tests.store.samples import finished, frame, jpeg, started, step
from tests.store.untrusted.hostile import CAPTIONS, OURS, STEERS, captions

FULL = Path("/dev/full")
ENDED_RUNS = ("[/s]", "AC[/]DC", "[/10]", "[official video]")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def keep_captions(data: DataFolder, *shown: str) -> None:
    picture = jpeg("red")
    FrameStore(data.frames_dir).put(picture, sync=False)
    with LedgerWriter(data.ledger_path("r1"), fsync=False) as writer:
        writer.append(started("r1", windows=Windows(before=len(shown) - 1, after=1)))
        for position, caption in enumerate(shown):
            video = Video(id=f"r1-{position}", caption=caption)
            writer.append(step(position, frame(picture), video=video))
        writer.append(finished(len(shown)))


def test_a_run_tells_each_caption_as_it_is_and_ends_well(tmp_path: Path) -> None:
    keep_captions(DataFolder(tmp_path), *ENDED_RUNS)
    words = "run --persona p12 --platform replay --of r1 --model scripted/yes --no-index"
    done = CliRunner().invoke(cli, [*words.split(), "--data", str(tmp_path), "--json"])
    assert done.exit_code == 0, done.output
    for caption in ENDED_RUNS:
        assert f"  {caption}\n" in done.stderr


@pytest.mark.drill
def test_what_a_run_and_its_report_keep_is_for_their_owner_alone(tmp_path: Path) -> None:
    data = tmp_path / "data"
    keep_captions(DataFolder(data), *ENDED_RUNS)
    words = "run --persona p12 --platform replay --of r1 --model scripted/yes --no-index --json"
    for package, line in (("agent", words), ("analysis", "report r1")):
        script = f"umask 022; exec {sys.executable} -m {package} {line} --data {data}"
        done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    found = modes(data)
    assert sum(name.endswith("ledger.jsonl") for name in found) == 2
    assert sum(name.endswith("index.html") for name in found) == 1
    assert set(found.values()) == {"700", "600"}


@pytest.mark.skipif(not FULL.exists(), reason="there is no /dev/full")
def test_a_run_goes_on_where_nothing_can_be_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    keep_captions(DataFolder(tmp_path), *ENDED_RUNS)
    words = "run --persona p12 --platform replay --of r1 --model scripted/yes --no-index --json"
    full = FULL.open("w")
    monkeypatch.setattr(sys, "stderr", full)
    cli.main([*words.split(), "--data", str(tmp_path)], standalone_mode=False)
    assert json.loads(capsys.readouterr().out)["run"]["status"] == "complete"
    with pytest.raises(OSError, match="No space left"):
        full.close()


@pytest.mark.parametrize(
    ("watched", "number"),
    [
        (True, len(CAPTIONS) + 5),
        (False, 200),
        pytest.param(True, 1_000, marks=pytest.mark.drill),  # a panel is drawn thrice each time
        pytest.param(False, 10_000, marks=pytest.mark.drill),
    ],
)
def test_no_caption_steers_a_terminal_or_a_pipe_or_ends_the_run(
    monkeypatch: pytest.MonkeyPatch, watched: bool, number: int
) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    shown = Terminal() if watched else io.StringIO()
    monkeypatch.setattr(sys, "stderr", shown)
    config = RunConfig(
        persona=find("p12"),
        platform="replay",
        of="r1",
        model="scripted/[/yes]",
        windows=Windows(before=number, after=1),
        account="a",
    )
    seen = 0
    with Display() as display:
        display.started(config, "r[/]1", ())
        for caption in captions(7, number):
            video = Video(id="v", caption=caption)
            told = step(seen, video=video)
            display.doing(caption)
            display.judged(video, Judgement(answer=None, missing="failed", fault=caption))
            display.stepped(told)
            display.waiting(ChallengeShown(caption, caption, picture=caption))
            display.faulted(ChallengeShown(caption, caption), recovered=True)
            seen += 1
    assert seen == number
    left = OURS.sub("", shown.getvalue())
    assert not STEERS.search(left), ascii(STEERS.findall(left)[:9])
    assert "AC[/]DC" in left


def test_what_is_said_meanwhile_stands_above_the_panel_in_a_line_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    shown = Terminal()
    monkeypatch.setattr(sys, "stderr", shown)
    config = RunConfig(
        persona=find("p12"),
        platform="replay",
        of="r1",
        model="scripted/yes",
        windows=Windows(before=2, after=1),
        account="a",
    )
    with Display() as display:
        display.started(config, "r1", ())
        display.judged(Video(id="v", caption="a"), Judgement(answer="yes"))
        for made in range(1, 4):
            remark(f"Made {made} of 123 clips.\n")
            display.stepped(step(made))
    lines = re.split(r"[\r\n]+", OURS.sub("", shown.getvalue()))
    assert [line for line in lines if "123" in line] == [
        f"Made {made} of 123 clips." for made in range(1, 4)
    ]


def test_listings_show_captions_that_steer_nothing(tmp_path: Path) -> None:
    from store.cli.main import main as store

    data = DataFolder(tmp_path)
    keep_captions(data, *CAPTIONS)
    for words in ("show r1", "show r1 --json", "runs"):
        done = CliRunner().invoke(store, [*words.split(), "--data", str(tmp_path)])
        assert done.exit_code == 0, done.output
        assert not STEERS.search(done.output), words
