"""Labels go out and come in as CSV and as Label Studio's JSON, and strangers' files do no harm."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.errors import BadConfig
from agent.evaluation.label_draw import LabelPlan, draw_questions
from agent.evaluation.label_exchange import (
    COLUMNS,
    keep_labels,
    list_labels,
    read_labels,
    write_labels,
)
from agent.evaluation.label_session import LabelSession
from agent.evaluation.label_sheet import write_studio_tasks
from analysis.examples.study import write_example
from store.runs.data_folder import DataFolder
from store.runs.labels import (
    Label,
    LabelDraw,
    LabelFile,
    draw_path,
    list_labellers,
    write_draw,
)
from store.runs.ledger import read
from store.untrusted.studio_tasks import BadStudioFile, read_studio

NOW = datetime(2025, 4, 1, 12, tzinfo=UTC)
ANSWERS = ("yes", "no", "unsure")


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> DataFolder:
    return write_example(tmp_path_factory.mktemp("example") / "data")


@pytest.fixture(scope="module")
def draw(example: DataFolder) -> LabelDraw:
    runs = [run for path in example.ledgers() if (run := read(path)).finished is not None]
    made = draw_questions(runs, LabelPlan(questions=60), "example-1", NOW)
    write_draw(example, made)
    return made


def give(data: DataFolder, draw: LabelDraw) -> None:
    for shift, by in enumerate(("anna", "bö")):
        LabelFile(data, "example-1", by).add(
            [
                Label.model_validate(
                    {
                        "question": one.id,
                        "answer": ANSWERS[(number + shift) % 3],
                        "by": by,
                        "at": datetime(2025, 4, 2, 10, number, 1, 250_000, tzinfo=UTC),
                    }
                )
                for number, one in enumerate(draw.questions[: 50 - 10 * shift])
            ]
        )


@pytest.mark.parametrize("name", ["labels.csv", "labels.json"])
def test_what_goes_out_comes_in_as_it_was(draw: LabelDraw, tmp_path: Path, name: str) -> None:
    first, second = DataFolder(tmp_path / "first"), DataFolder(tmp_path / "second")
    write_draw(first, draw)
    write_draw(second, draw)
    give(first, draw)
    assert write_labels(first, draw, tmp_path / name) == 90
    did = keep_labels(second, draw, read_labels(tmp_path / name, None), NOW)
    assert (did.kept, did.changed, did.strange, did.by) == (90, 0, 0, ("anna", "bö"))
    assert list_labels(second, draw) == list_labels(first, draw)
    again = keep_labels(second, draw, read_labels(tmp_path / name, None), NOW)
    assert (again.kept, again.changed) == (0, 0)


def test_a_csv_tells_where_each_question_is_from(draw: LabelDraw, tmp_path: Path) -> None:
    data = DataFolder(tmp_path)
    write_draw(data, draw)
    give(data, draw)
    write_labels(data, draw, tmp_path / "labels.csv")
    with (tmp_path / "labels.csv").open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert tuple(rows[0]) == COLUMNS
    asked = {one.id: one for one in draw.questions}
    for row in rows:
        one = asked[row["question"]]
        assert (row["run_id"], row["window"], row["arm"]) == (one.run_id, one.window, one.arm)
        assert float(row["probability"]) == one.probability


def studio_task(
    question: str, *answers: tuple[Any, Any], remark: str = "", **more: Any
) -> dict[str, Any]:
    """A task as Label Studio's JSON export has it: a choice of each person, by their number."""
    return {
        "id": 7,
        "data": {"question": question, "persona": "I surf.", "pictures": []},
        "annotations": [
            {
                "id": 1001,
                "completed_by": who,
                "result": [
                    {
                        "id": "Dx_aB91ISN",
                        "from_name": "answer",
                        "to_name": "pictures",
                        "type": "choices",
                        "value": {"choices": [answer]},
                        "origin": "manual",
                        "meta": {"text": [remark]},
                    }
                ],
                "was_cancelled": False,
                "ground_truth": False,
                "created_at": "2025-03-09T22:16:08.728353Z",
                "lead_time": 4.288,
                "task": 7,
                **more,
            }
            for who, answer in answers
        ],
        "predictions": [{"model_version": "m", "result": [{"from_name": "answer"}]}],
        "drafts": [],
        "project": 83,
    }


def test_what_label_studio_exports_is_kept(draw: LabelDraw, tmp_path: Path) -> None:
    data = DataFolder(tmp_path)
    write_draw(data, draw)
    names = [one.id for one in draw.questions]
    skipped = studio_task(names[2], (10, "yes"), was_cancelled=True)
    mail = {"id": 3, "email": "cy@example.org"}
    tasks = [
        studio_task(names[0], (10, "yes"), (11, "No"), remark="zoe"),
        studio_task(names[1], (10, "unsure"), (mail, "no")),
        skipped,
        {"data": {"question": names[3]}, "annotations": []},
    ]
    path = tmp_path / "export.json"
    path.write_text(json.dumps(tasks), encoding="utf-8")
    with pytest.raises(BadConfig, match="Type: the same with --as 10=NAME,11=NAME"):
        read_labels(path, "anna")
    with pytest.raises(BadConfig, match="Type: the same with --as 10=anna,11=NAME"):
        read_labels(path, "bo", {10: "anna"})
    did = keep_labels(data, draw, read_labels(path, None, {10: "anna", 11: "bo"}), NOW)
    assert (did.kept, did.by) == (4, ("anna", "bo", "cy@example.org"))
    label = LabelFile(data, "example-1", "anna").read().standing[names[0]]
    assert label.at == datetime(2025, 3, 9, 22, 16, 8, 728353, tzinfo=UTC)
    path.write_text(json.dumps([studio_task(names[0], (10, "yes"))]), encoding="utf-8")
    assert keep_labels(data, draw, read_labels(path, "dan"), NOW).by == ("dan",), "one person"


def test_imports_one_after_the_other_make_nobody_two_people(
    draw: LabelDraw, tmp_path: Path
) -> None:
    data = DataFolder(tmp_path)
    write_draw(data, draw)
    names = [one.id for one in draw.questions]
    path = tmp_path / "export.json"
    path.write_text(json.dumps([studio_task(names[0], (10, "yes"))]), encoding="utf-8")
    keep_labels(data, draw, read_labels(path, "anna"), NOW)
    both = [studio_task(names[0], (10, "yes"), (11, "yes")), studio_task(names[1], (10, "no"))]
    path.write_text(json.dumps(both), encoding="utf-8")
    with pytest.raises(BadConfig, match="--as"):
        read_labels(path, "anna")
    keep_labels(data, draw, read_labels(path, None, {10: "anna", 11: "bo"}), NOW)
    assert list_labellers(draw_path(data, "example-1")) == ["anna", "bo"]
    path.write_text(f"question,answer,by\n{names[2]},yes, anna \n", encoding="utf-8")
    assert keep_labels(data, draw, read_labels(path, None), NOW).by == ("anna",)


def test_who_does_not_share_a_draw_is_named(draw: LabelDraw, tmp_path: Path) -> None:
    shared = replace(draw, header=draw.header.model_copy(update={"labellers": ("al", "bo")}))
    data, path = DataFolder(tmp_path), tmp_path / "answers.csv"
    write_draw(data, shared)
    path.write_text(f"question,answer\n{draw.questions[0].id},yes\n", encoding="utf-8")
    with pytest.raises(BadConfig, match="cy is none of those who share this draw: al, bo"):
        keep_labels(data, shared, read_labels(path, "cy"), NOW)


def test_tasks_for_label_studio_show_no_judge(
    example: DataFolder, draw: LabelDraw, tmp_path: Path
) -> None:
    session = LabelSession(example, draw, "anna")
    tasks = json.loads(write_studio_tasks(session, tmp_path / "studio").read_text("utf-8"))
    assert [task["data"]["question"] for task in tasks] == [one.id for one in draw.questions]
    assert {frozenset(task) for task in tasks} == {frozenset({"data"})}
    words = {"question", "persona", "ask", "words", "pictures"}
    assert {frozenset(task["data"]) for task in tasks} == {frozenset(words)}
    for task in tasks:
        for address in task["data"]["pictures"]:
            name = address.removeprefix("/data/local-files/?d=")
            assert (tmp_path / name).is_file()
    interface = (tmp_path / "studio" / "interface.xml").read_text("utf-8")
    for word in words - {"question"}:
        assert f'"${word}"' in interface


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("[", "is no JSON that can be read"),
        ("[" * 100_000, "is no JSON that can be read"),
        ('{"data": 1}', "is no list of Label Studio's tasks"),
        ("[1, 2]", "is no list of Label Studio's tasks"),
        ("[]", "holds no task with data.question"),
        ('[{"data": {"question": 3}, "annotations": []}]', "holds no task with data.question"),
        (json.dumps([studio_task("q1", (1, "maybe"))]), "'maybe', not yes, no or unsure"),
        (json.dumps([studio_task("q1", (1, "yes"), (1, "no"))]), "in two ways"),
        (json.dumps([studio_task("q1", ({"email": "../x"}, "yes"))]), "no name for a file"),
        (json.dumps([studio_task("q1", ({"email": "=1+1;"}, "yes"))]), "no name for a file"),
        ("question,answer,by\nq1,yes,../../x\n", "no name for a file"),
    ],
)
def test_files_that_are_refused(tmp_path: Path, content: str, said: str) -> None:
    path = tmp_path / "export.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(BadConfig) as told:
        read_labels(path, "anna")
    assert said in str(told.value)
    assert "Type: " in str(told.value)


def test_who_answered_must_be_told(tmp_path: Path) -> None:
    path = tmp_path / "answers.csv"
    path.write_text("question,answer\nq1,yes\n", encoding="utf-8")
    with pytest.raises(BadConfig, match="Type: the same with --by anna"):
        read_labels(path, None)


NAMES = ["data", "annotations", "question", "result", "from_name", "value", "choices", "meta"]
NAMES += ["text", "completed_by", "created_at", "was_cancelled", "email", "id"]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(NAMES),
            inner | st.just("answer"),
            max_size=4,
        )
    ),
    max_leaves=20,
)


@given(JSON)
def test_any_json_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, value: Any) -> None:
    path = tmp_path_factory.mktemp("any") / "export.json"
    path.write_text(json.dumps([{"data": {"question": "q"}, "annotations": value}, value]))
    try:
        labels = read_studio(path)
    except BadStudioFile:
        return
    assert all(isinstance(label.answer, str) for label in labels)
