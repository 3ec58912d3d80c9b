import json
import re
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from analysis.cli.main import main
from analysis.data.exposures import AFTER, BEFORE, MISSING, NO, NONE, PHASES, UNKNOWN, YES, Views
from analysis.data.imported_views import ImportOptions, read_imported_views
from analysis.errors import BadViews
from store.runs.ledger_lines import Windows
from store.untrusted.size_limits import MOST_TABLE_BYTES

READING = ImportOptions(Windows(before=2, after=2))


def read_views(path: Path, options: ImportOptions) -> Views:
    return read_imported_views(path, options).views


def csv(folder: Path, text: str) -> Path:
    path = folder / "views.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_rows_become_a_table(tmp_path: Path) -> None:
    path = csv(
        tmp_path,
        "run,persona,arm,position,batch,video,answer,excluded,p_yes\n"
        "r1,p1,treatment,1,0,b,no,,0.2\n"
        "r1,p1,treatment,0,0,a,Yes,,0.9\n"
        "r1,p1,treatment,2,1,c,,ad,\n"
        "r1,p1,treatment,3,1,d,,,\n"
        "r1,p1,treatment,4,1,e,1,,0.7\n"
        "r2,p1,yoked,0,,f,0,,\n",
    )
    views = read_views(path, READING)
    assert views.video.tolist() == ["a", "b", "c", "d", "e", "f"]
    assert views.answer.tolist() == [YES, NO, NONE, NONE, YES, NO]
    assert views.phase[:5].tolist() == [BEFORE, BEFORE, AFTER, AFTER, AFTER]
    assert views.exclusions() == {"ad": 1}
    unanswered = views.missing[views.eligible & (views.answer == NONE)]
    assert [MISSING[reason] for reason in unanswered] == ["failed"]
    assert views.batch.tolist() == [0, 0, 1, 1, 1, UNKNOWN]
    assert [run.arm for run in views.runs] == ["treatment", "yoked"]
    assert views.p_yes[0] == 0.9


def test_scores_are_read_against_the_threshold(tmp_path: Path) -> None:
    path = csv(tmp_path, "run,position,score\nr,0,60\nr,1,59.9\nr,2,\n")
    assert read_views(path, READING).answer.tolist() == [YES, NO, NONE]
    assert read_views(path, ImportOptions(READING.windows, 70)).answer.tolist() == [NO, NO, NONE]


def test_windows_are_the_files_own_or_the_first_and_the_last_videos(tmp_path: Path) -> None:
    rows = "".join(f"r,{at},yes\n" for at in range(7))
    views = read_views(csv(tmp_path, "run,position,answer\n" + rows), READING)
    names = [PHASES[phase] for phase in views.phase]
    assert names == ["before"] * 2 + ["adapt"] * 3 + ["after"] * 2
    told = "run,position,answer,window\nr,0,yes,after\nr,1,yes,before\n"
    assert read_views(csv(tmp_path, told), READING).phase.tolist() == [AFTER, BEFORE]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("run,answer\nr,yes\n", "views.csv:1: lacks the column 'position'"),
        ("run,position\nr,0\n", "neither an 'answer' nor a 'score'"),
        ("run,position,answer\n", "holds no rows"),
        ("run,position,answer\nr,0,yes\nr,1,perhaps\n", "views.csv:3: answer is 'perhaps'"),
        ("run,position,answer\nr,-1,yes\n", "views.csv:2: position is '-1'"),
        (f"run,position,answer\nr,{'9' * 5000},yes\n", "views.csv:2: position is '999"),
        (f"run,position,answer,batch\nr,0,yes,{'9' * 20}\n", "of at most 15 digits"),
        (f"run,position,answer,replicate\nr,0,yes,{'9' * 20}\n", "of at most 15 digits"),
        ("run,position,answer\nr,0,yes\nr,0,no\n", "views.csv:3: position is '0'"),
        ("run,position,answer\n,0,yes\n", "run is ''"),
        ("run,position,score\nr,0,high\n", "score is 'high'"),
        ("run,position,score\nr,0,inf\n", "score is 'inf'"),
        ("run,position,answer,arm\nr,0,yes,active\n", "arm is 'active', not one of treatment"),
        ("run,position,answer,arm\nr,0,yes,yoked\nr,1,no,\n", "as in the run's first row"),
        ("run,position,answer,window\nr,0,yes,early\n", "window is 'early'"),
        ("run,position,answer\nr,0\n", "neither"),
    ],
)
def test_rows_that_make_no_sense_are_named(tmp_path: Path, text: str, words: str) -> None:
    if words == "neither":  # a short row has an empty answer, which is a missing one
        assert read_views(csv(tmp_path, text), READING).answer.tolist() == [NONE]
        return
    with pytest.raises(BadViews) as caught:
        read_views(csv(tmp_path, text), READING)
    assert words in str(caught.value)
    assert re.search(r"Type:? (python -m analysis import --help|--map )", str(caught.value))


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(BadViews, match="cannot be read"):
        read_views(tmp_path / "absent.csv", READING)
    (tmp_path / "binary.csv").write_bytes(b"run,position,answer\n\xff\x81,0,yes\n")
    with pytest.raises(BadViews, match="cannot be read"):
        read_views(tmp_path / "binary.csv", READING)
    with (tmp_path / "huge.csv").open("wb") as file:
        file.truncate(MOST_TABLE_BYTES + 1)  # takes no room on the disk
    with pytest.raises(BadViews, match=r"more than 1,073,741,824 bytes"):
        read_views(tmp_path / "huge.csv", READING)


def test_a_null_data_set_has_an_unremarkable_i_avg(tmp_path: Path) -> None:
    rng = np.random.default_rng(8)
    lines = ["run,persona,position,batch,video,answer"]
    for persona, base in enumerate(np.linspace(0.03, 0.20, 10)):
        for batch in range(9):
            rate = rng.beta(base * 9, (1 - base) * 9)
            lines += [
                f"r{persona},p{persona},{at},{batch},v{persona}-{at},{int(rng.random() < rate)}"
                for at in range(12 * batch, min(100, 12 * batch + 12))
            ]
    path = csv(tmp_path, "\n".join(lines) + "\n")
    told = CliRunner().invoke(main, ["import", str(path), "--json"])
    assert told.exit_code == 0, told.output
    (result,) = json.loads(told.stdout)
    (average,) = result["averages"]
    assert average["null"]["low"] < average["i_avg"] < average["null"]["high"]
    assert 1 < average["null"]["percentile"] < 99
    assert average["null"]["mean"] > 10
    words = CliRunner().invoke(main, ["import", str(path)])
    assert "unremarkable" in words.stdout


def test_batches_that_nobody_told_are_said_to_be_assumed(tmp_path: Path) -> None:
    rows = "".join(f"r{run},{at},{at % 3 // 2}\n" for run in range(3) for at in range(100))
    path = csv(tmp_path, "run,position,answer\n" + rows)
    assert "blocks of 12 stand in" in CliRunner().invoke(main, ["import", str(path)]).stdout


def test_a_bad_file_is_one_sentence(tmp_path: Path) -> None:
    told = CliRunner().invoke(main, ["import", str(tmp_path / "absent.csv")])
    assert told.exit_code == 2
    assert "absent.csv" in told.stderr
    assert "Traceback" not in told.stderr
