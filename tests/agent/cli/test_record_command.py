"""``record`` without a site: what it lists, compares and refuses."""

from __future__ import annotations

import gzip
import json
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from agent.cli import cli
from agent.doctor.expected_videos import find_expected, list_changes, read_described, read_expected
from agent.errors import BadExpectations, BadRecording
from agent.recordings.recording_file import NAME

COMMITTED = next((Path(__file__).parents[2] / "recordings" / "tiktok").rglob(NAME))


def invoke(*words: str) -> Result:
    return CliRunner().invoke(cli, ["record", *words])


def write_recording(folder: Path, lines: list[dict[str, Any]]) -> Path:
    folder.mkdir()
    text = "\n".join(json.dumps(line) for line in lines)
    (folder / NAME).write_bytes(gzip.compress(text.encode()))
    return folder


def committed_lines() -> list[dict[str, Any]]:
    text = gzip.decompress(COMMITTED.read_bytes())
    return [json.loads(line) for line in text.splitlines()]


def test_a_folder_that_cannot_be_written_is_refused_before_the_walk(tmp_path: Path) -> None:
    """A browser that is not there would be the next complaint."""
    (tmp_path / "file").write_text("no folder", encoding="utf-8")
    words = ["--platform", "tiktok", "--skin", "plain", "--data", str(tmp_path / "data")]
    words += ["--browser", str(tmp_path / "none")]
    done = invoke(*words, "--to", str(tmp_path / "file" / "made"))
    assert done.exit_code == 2
    assert "cannot be written (Not a directory). Type: --to ANOTHER" in " ".join(
        done.output.split()
    )
    done = invoke(*words, "--to", str(tmp_path / "made"))
    assert "cannot be written" not in done.output
    assert list((tmp_path / "made").iterdir()) == []


def give_parts(node: Any) -> Iterator[tuple[str, str]]:
    """Every key, text and number of a line of JSON, below its kind."""
    if isinstance(node, dict):
        for key, value in node.items():
            yield "names", key
            yield from give_parts(value)
    elif isinstance(node, list):
        for value in node:
            yield from give_parts(value)
    elif isinstance(node, str):
        yield "texts", node
    elif node is not None and not isinstance(node, bool):
        yield "numbers", str(float(node))


def test_show_lists_every_text_name_and_number(tmp_path: Path) -> None:
    lines = committed_lines()
    scene = next(line for line in lines if line["kind"] == "scene")
    scene["described"] |= {"caption": "a caption told nowhere else", "likes": 424242}
    scene["nodes"][1] |= {"tag": "odd-tag", "attributes": {"data-odd": "odd value"}}
    done = invoke("--show", str(write_recording(tmp_path / "made", lines)), "--json")
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    listed = {("texts", text) for text in told["texts"]} | {("names", x) for x in told["names"]}
    listed |= {("numbers", str(float(number))) for number in told["numbers"]}
    held = {part for line in lines[1:-1] for part in give_parts(line) if part[1]}
    missing = held - listed - {("names", "kind")}
    assert {part for part in missing if part[1] not in ("answer", "scene", "inline")} == set()
    assert {("numbers", "424242.0"), ("texts", "odd-tag"), ("names", "data-odd")} <= held & listed
    assert len(held) > 500
    plain = invoke("--show", str(tmp_path / "made")).output
    words = ("424242", "odd-tag", "data-odd", "odd value", "a caption told nowhere else")
    assert [word for word in words if word not in plain] == []


def test_a_platform_a_wall_or_a_fault_that_changed_is_a_change() -> None:
    approved = read_expected(COMMITTED)
    assert approved is not None
    assert list_changes(approved, approved) == []
    told = approved | {"platform": "youtube", "walls": [], "fault": "LoginRequired"}
    assert list_changes(approved, told) == [
        "platform: youtube, not tiktok",
        "walls: none, not ['consent']",
        "fault: LoginRequired, not none",
    ]


@pytest.mark.drill
def test_what_was_approved_is_written_over_only_with_approve(tmp_path: Path) -> None:
    lines = committed_lines()
    at = next(number for number, line in enumerate(lines) if line["kind"] == "scene")
    answers = sum(line["kind"] == "answer" for line in lines[:at])
    end = {"kind": "end", "scenes": 1, "answers": answers}
    folder = write_recording(tmp_path / "one video", [*lines[: at + 1], end])
    words = ["--expect", str(folder), "--data", str(tmp_path / "data")]
    assert invoke(*words).exit_code == 0
    assert invoke(*words).exit_code == 0
    place = find_expected(folder)
    first = place.read_bytes()
    former = json.dumps(json.loads(first) | {"walls": ["login"]}).encode()
    place.write_bytes(former)
    done = invoke(*words)
    assert done.exit_code == 1
    assert place.read_bytes() == former
    assert "Not as approved: walls" in done.output
    again = f"python -m agent record --expect {shlex.quote(str(folder))} --approve"
    assert again in " ".join(done.output.split())
    assert invoke(*words, "--approve").exit_code == 0
    assert place.read_bytes() == first


def test_approve_without_expect_is_refused() -> None:
    done = invoke("--show", str(COMMITTED), "--approve")
    assert done.exit_code == 2
    assert "Type: --expect FOLDER --approve" in done.output


@pytest.mark.parametrize(
    "content", ["{", "[" * 100_000, "{}", '{"videos":[1]}', '{"videos":5}', "[]", '{"videos":[]}']
)
def test_expectations_that_make_no_sense_are_refused(content: str, tmp_path: Path) -> None:
    folder = write_recording(tmp_path / "a recording", committed_lines())
    find_expected(folder).write_text(content, encoding="utf-8")
    with pytest.raises(BadExpectations, match=r"Type: rm '.*/a recording/expected.json'$"):
        read_expected(folder)
    done = invoke("--expect", str(folder), "--data", str(tmp_path / "data"))
    assert done.exit_code == 2
    assert "Traceback" not in done.output


@pytest.mark.parametrize(
    "told", [{"duration_s": "long"}, {"hashtags": 5}, {"hashtags": [[]]}, {"caption": 1}]
)
def test_descriptions_of_wrong_types_are_refused(told: dict[str, Any], tmp_path: Path) -> None:
    lines = committed_lines()
    next(line for line in lines if line["kind"] == "scene")["described"] |= told
    folder = write_recording(tmp_path / "made", lines)
    with pytest.raises(BadRecording, match=next(iter(told))):
        read_described(folder)
    assert invoke("--expect", str(folder), "--data", str(tmp_path / "data")).exit_code == 2
