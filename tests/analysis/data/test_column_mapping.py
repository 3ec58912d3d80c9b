"""What --map says, and what becomes of it."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from analysis.cli.main import main
from analysis.cli.map_words import read_mapping
from analysis.data.before_after_windows import compared
from analysis.data.exposures import NO, NONE, YES, Views
from analysis.data.imported_views import ImportedViews, ImportOptions, read_imported_views
from analysis.errors import BadMapping, BadViews
from store.runs.ledger_lines import Windows

BASE = "run=user,position=#"


def read(folder: Path, text: str, mapping: str = "", **options: object) -> ImportedViews:
    path = folder / "a.csv"
    path.write_text(text, encoding="utf-8")
    options.setdefault("windows", Windows(before=2, after=2))
    mapped = read_mapping([mapping] if mapping else [])
    return read_imported_views(path, ImportOptions(mapping=mapped, **options))  # type: ignore[arg-type]


def views(folder: Path, text: str, mapping: str = "", **options: object) -> Views:
    return read(folder, text, mapping, **options).views


def column(name: str, *cells: str, separator: str = ",") -> str:
    lines = [separator.join(("u", cell)) for cell in cells]
    return "\n".join([separator.join(("user", name)), *lines]) + "\n"


@pytest.mark.parametrize(
    ("source", "cells", "answers"),
    [
        ("c", ["TRUE", "f", "ja", "Nein", "1.0", "0"], [YES, NO, YES, NO, YES, NO]),
        ("c", ["", "NA", "NaN", "null", "None", "yes"], [NONE] * 5 + [YES]),
        ("c==12", ["12", "12.0", "1", "012", "NA"], [YES, YES, NO, NO, NONE]),
        ("c==007", ["007", "7", "7.0"], [YES, NO, NO]),
        ("c!=1e3", ["1e3", "1000"], [NO, YES]),
        ("c in 0.5|3", ["0.50", ".5", "3", "03"], [YES, YES, YES, NO]),
        ("c == cats", ["cats", "Cats", "dogs"], [YES, NO, NO]),
        ("c!=12", ["12", "3", "", "x"], [NO, YES, NONE, YES]),
        ("c in 12|14|cats", ["12", "13", "14", "cats", ""], [YES, NO, YES, YES, NONE]),
        ("c>=4", ["4", "3.9", "5", ""], [YES, NO, YES, NONE]),
        ("c > 4", ["4", "5"], [NO, YES]),
        ("c<4", ["4", "-1"], [NO, YES]),
        ("c<=4", ["4", "4.1"], [YES, NO]),
        ("'c'==\"a|b\"", ["a|b", "a"], [YES, NO]),
        ("no if c==x else yes", ["x", "y", ""], [NO, YES, NONE]),
        ("no if c==x else yes if c==y", ["x", "y", "z", ""], [NO, YES, NONE, NONE]),
        (":yes", ["", "x"], [YES, YES]),
    ],
)
def test_an_answer_is_what_the_map_says(
    tmp_path: Path, source: str, cells: list[str], answers: list[int]
) -> None:
    assert (
        views(tmp_path, column("c", *cells), f"{BASE},answer={source}").answer.tolist() == answers
    )


def test_an_answer_may_be_whether_two_columns_agree(tmp_path: Path) -> None:
    text = "user,category,interest\nu,12,12.0\nu,3,12\nv,cats,cats\nv,,cats\n"
    mapping = f"{BASE},persona=interest,answer=category=={{interest}}"
    with pytest.raises(BadViews, match="persona"):
        views(tmp_path, text, mapping)
    got = views(tmp_path, text, f"{BASE},answer=category=={{interest}}")
    assert got.answer.tolist() == [YES, NO, YES, NONE]


def test_numbers_with_a_decimal_comma_are_read_where_semicolons_separate(tmp_path: Path) -> None:
    text = "run;position;score;p_yes\nr;0;60,5;0,250\nr;1;59,5;1\n"
    got = views(tmp_path, text)
    assert (got.answer.tolist(), got.p_yes.tolist()) == ([YES, NO], [0.25, 1])
    cells = column("c", "3,5", "4,5", separator=";")
    assert views(tmp_path, cells, f"{BASE},answer=c>=4").answer.tolist() == [NO, YES]
    with pytest.raises(BadViews, match="'60,5', not a finite number"):
        views(tmp_path, 'run,position,score\nr,0,"60,5"\n')


@pytest.mark.parametrize("how", ["<", "<=", ">", ">="])
def test_a_comma_of_thousands_is_no_decimal_one_in_a_condition(tmp_path: Path, how: str) -> None:
    cells = column("likes", "77", "1,234", "855,422", separator="\t")
    with pytest.raises(BadViews, match="csv:3: likes is '1,234', which may have a decimal comma"):
        views(tmp_path, cells, f"{BASE},answer=likes{how}1000")
    settled = column("likes", "1,234", "1,5", separator="\t")
    assert len(views(tmp_path, settled, f"{BASE},answer=likes{how}1.4")) == 2


def test_a_number_is_typed_with_the_comma_that_the_file_has(tmp_path: Path) -> None:
    cells = column("c", "3,50", "4,5", separator=";")
    for source in ("c=='3,5'", "c==3.5", "c<'4,0'"):
        assert views(tmp_path, cells, f"{BASE},answer={source}").answer.tolist() == [YES, NO]
    with pytest.raises(BadViews, match="commas separate its cells, so that 4,5 is no number"):
        views(tmp_path, column("c", "3"), f"{BASE},answer=c<'4,5'")
    with pytest.raises(BadMapping, match="'1,234' may have a decimal comma"):
        read_mapping(["answer=c<'1,234'"])


@pytest.mark.parametrize("value", ["a|b, c", 'the "best"', "it's", "cats in hats", "$x;y"])
def test_an_advised_value_can_be_typed_as_it_stands(tmp_path: Path, value: str) -> None:
    cells = column("the topic", value, separator="\t")
    with pytest.raises(BadViews, match="no row has") as caught:
        views(tmp_path, cells, f"{BASE},answer=the topic==none of them")
    option, mapping = shlex.split(str(caught.value).split("Type: ")[1])
    assert option == "--map"
    assert views(tmp_path, cells, f"{BASE},{mapping}").answer.tolist() == [YES]


def test_a_column_with_a_blank_is_advised_in_quotes(tmp_path: Path) -> None:
    with pytest.raises(BadViews, match=r"Type: --map 'run=user id'$"):
        views(tmp_path, "user id,liked\nu,1\n", "run=userid,position=#,answer=liked")


def test_a_score_that_was_not_mapped_fills_no_mapped_answer(tmp_path: Path) -> None:
    text = "user,liked,score\nu,1,10\nu,,90\n"
    assert views(tmp_path, text, f"{BASE},answer=liked").answer.tolist() == [YES, NONE]
    mapped = f"{BASE},answer=liked,score=score"
    assert views(tmp_path, text, mapped).answer.tolist() == [YES, YES]


def test_arms_and_ads_come_from_a_condition(tmp_path: Path) -> None:
    text = "user,group,isAd,liked\nu,test,1,1\nu,test,0,1\nv,control,,0\n"
    mapping = f"{BASE},answer=liked,excluded=ad if isAd==1,platform=:tiktok,"
    mapping += "arm=passive if group==control else treatment"
    got = views(tmp_path, text, mapping)
    assert [(run.arm, run.platform) for run in got.runs] == [
        ("treatment", "tiktok"),
        ("passive", "tiktok"),
    ]
    assert got.exclusions() == {"ad": 1}
    with pytest.raises(BadViews, match="so that the arm is not known"):
        views(tmp_path, text.replace("control", ""), mapping)


@pytest.mark.parametrize(
    "times",
    [
        ["5", "-1", "700"],
        ["2024-02-01 10:00:00", "2024-01-31T23:59:59.5", "2024-02-01 10:00:01"],
        ["2024-02-01 10:00:00+02:00", "2024-02-01T07:59:59Z", "2024-02-01 10:00:00+01:00"],
        ["1706780000000000002", "1706780000000000001", "1706780000000000003"],
    ],
    ids=["numbers", "dates", "zones", "nanoseconds"],
)
def test_positions_are_ranks_within_the_run(tmp_path: Path, times: list[str]) -> None:
    rows = [f"{run},{time},v{at}" for run in "uv" for at, time in enumerate(times)]
    text = "\n".join(["user,time,video,answer", *(f"{row},1" for row in rows)]) + "\n"
    got = views(tmp_path, text, "run=user,position=time")
    assert got.position.tolist() == [0, 1, 2] * 2
    assert got.video.tolist() == ["v1", "v0", "v2"] * 2


def test_a_video_that_its_run_has_shown_is_a_repeat_and_counts(tmp_path: Path) -> None:
    text = "run,position,video,answer,excluded\nr,0,a,1,not_shown\nr,1,a,1,\nr,2,b,0,\nr,3,a,1,\n"
    told = read(tmp_path, f"{text}r,4,,1,\nr,5,,1,\nq,0,b,1,\n")
    assert told.views.repeat.tolist() == [0, 0, 0, 1, 0, 0, 0]
    assert told.views.eligible.sum() == 6
    assert any("1 video had been shown before in the same run" in said for said in told.remarks)


def test_after_a_passive_baseline_the_first_batch_is_left_out(tmp_path: Path) -> None:
    rows = "".join(f"r,{at},{at // 12},1\n" for at in range(100))
    told = {}
    for baseline in ("active", "passive"):
        windows = Windows(before=48, after=52, baseline=baseline)
        run = views(tmp_path, f"run,position,batch,answer\n{rows}", windows=windows)
        told[baseline] = int(compared(run).after.sum())
    assert told == {"active": 52, "passive": 40}


def test_the_adapt_window_ends_where_it_is_said_to(tmp_path: Path) -> None:
    rows = "".join(f"r,{at},1\n" for at in range(10)) + "s,0,1\n"
    told = read(tmp_path, f"run,position,answer\n{rows}", adapt=3)
    assert told.views.phase.tolist() == [0, 0, 1, 1, 1, 2, 2, 0]
    assert [run.status for run in told.views.runs] == ["complete", "short"]
    assert read(tmp_path, f"run,position,answer\nr,8,?\n{rows}".replace("r,8,1", "r,11,1"), adapt=3)
    assert told.remarks == (
        "1 run of 2 too short for the windows.",
        "3 videos beyond the windows left out.",
    )


def test_short_runs_are_counted_as_lost(tmp_path: Path) -> None:
    rows = [f"r{run},{at},{at % 2}" for run in range(3) for at in range(100 if run else 60)]
    path = tmp_path / "a.csv"
    path.write_text("\n".join(["run,position,answer", *rows]))
    told = CliRunner().invoke(main, ["import", str(path)])
    assert "complete runs: treatment 2 of 3" in told.stdout


@pytest.mark.parametrize(
    ("mapping", "words"),
    [
        ("runs=user", "'runs' is none of our columns; these are run, position, answer"),
        ("user", "it has no ="),
        ("run=a,run=b", "run is given twice"),
        ("run=", "something is missing"),
        ("answer=c=12", "equal is ==, as in c==12"),
        ("answer=c==12|13", "several values go with in: c in 12|13"),
        ("answer=c==NA", "NA is an empty cell"),
        ("answer=c>=four", "'four' is not a number"),
        ("answer=c<{d}", "two columns are compared by == or !="),
        ("arm=c==12", "for arm type VALUE if c==12"),
        ("arm=passive if c", "'passive if c' is not VALUE if COLUMN==VALUE"),
        ("run=#", "for position only"),
        ("run='a", "put quotes around it"),
    ],
)
def test_a_bad_map_is_one_sentence_that_ends_in_what_to_type(mapping: str, words: str) -> None:
    told = CliRunner().invoke(main, ["import", "absent.csv", "--map", mapping])
    assert (told.exit_code, words in told.stderr) == (2, True), told.stderr
    assert told.stderr.endswith("Type: --map 'run=user,position=time,answer=category==12'\n")


@pytest.mark.parametrize(
    ("header", "mapping", "advice"),
    [
        ("userID,videoID,order,category", "", "run=userID,position=order,answer=category==VALUE,"),
        ("a,b,c", "", "--map run=COLUMN,position=COLUMN,answer=COLUMN==VALUE"),
        (
            "Session Id,timestamp,Liked",
            "",
            "--map 'run=Session Id,position=timestamp,answer=Liked'",
        ),
        ("run,position,liked", "", "--map answer=liked"),
        ("run,position,liked", "answer=Likd", "--map answer=liked"),
        (",".join(f"c{at}" for at in range(20)), "", "c11 and 8 more"),
    ],
)
def test_what_is_lacking_is_proposed(
    tmp_path: Path, header: str, mapping: str, advice: str
) -> None:
    with pytest.raises(BadViews) as caught:
        views(tmp_path, f"{header}\n", mapping)
    assert advice in str(caught.value)


def test_commas_may_stand_between_or_the_option_be_typed_again() -> None:
    one = read_mapping(["run=a, position='b, c' ,answer=d in x|y"])
    assert one == read_mapping(["run=a", "position='b, c'", "answer=d in x|y"])
    assert one.sources["position"].column == "b, c"


@given(st.text(st.sampled_from("arm=:#,|<>!{}'\" ifelsn12"), max_size=40))
def test_any_words_are_a_mapping_or_a_bad_one(text: str) -> None:
    try:
        mapping = read_mapping([f"answer={text}"])
    except BadMapping:
        return
    assert "answer" in mapping.sources


def test_many_rows_have_the_answers_of_their_own_cells(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    codes = rng.integers(0, 20, 100_000).tolist()
    rows = (f"u{at // 1000},{at % 1000},{code}" for at, code in enumerate(codes))
    text = "\n".join(["user,order,category", *rows]) + "\n"
    got = views(tmp_path, text, "run=user,position=order,answer=category==12")
    assert (got.answer == YES).tolist() == [code == 12 for code in codes]


def test_the_commands_of_the_documentation_work(tmp_path: Path) -> None:
    page = (Path(__file__).parents[3] / "docs" / "measurement.md").read_text(encoding="utf-8")
    (table,) = re.findall(r"head -2 audit.csv\n    (.+)\n    (.+)\n", page)
    mapped = re.findall(r"(--map|--null-map) '([^']*)'", page)
    assert len(mapped) == 3
    for option, words in mapped:
        text = table[0].replace("userID", "user") if "run=user," in words else table[0]
        assert len(views(tmp_path, f"{text}\n{table[1]}\n", words)) == 1, option
    shown = CliRunner().invoke(main, ["import", "--help"]).stdout
    (words,) = re.findall(r"'(run=.*)'", shown)
    assert len(views(tmp_path, "\n".join(table), words)) == 1
