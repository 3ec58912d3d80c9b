"""Recordings of strangers: what is no whole recording is refused in words, whatever it holds."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from agent.errors import BadRecording
from agent.recordings import recording_file
from agent.recordings.recording_file import (
    NAME,
    Line,
    PageNode,
    RecordedAnswer,
    RecordingHeader,
    Scene,
    pack_lines,
    read_recording,
)

HEADER: dict[str, Any] = {
    "platform": "tiktok",
    "url": "https://www.tiktok.com/foryou",
    "recorded_on": "2026-11-23",
    "viewport": (1280, 800),
    "locale": "en-US",
    "browser": "chromium 1",
    "code_version": "0",
}
BODY = PageNode(n=0, tag="body")


def lines(*nodes: PageNode) -> list[Line]:
    address = "https://www.tiktok.com/foryou"
    return [
        RecordingHeader.model_validate(HEADER),
        RecordedAnswer(url=f"{address}?count=6", body={"itemList": []}, asked_at=-1),
        Scene(address=address, document=0, nodes=(BODY, *nodes)),
    ]


def test_a_recording_is_read_by_its_file_and_by_its_folder(tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(pack_lines(lines(PageNode(n=1, p=0, tag="video"))))
    for path in (tmp_path, tmp_path / NAME):
        recording = read_recording(path)
        assert [one.due for one in recording.answers] == [0]
        assert recording.scenes[0].nodes[1].tag == "video"
    assert (tmp_path / NAME).read_bytes() == pack_lines(lines(PageNode(n=1, p=0, tag="video")))


def packed(*texts: str) -> bytes:
    return gzip.compress("\n".join(texts).encode(), mtime=0)


WHOLE = gzip.decompress(pack_lines(lines())).decode().splitlines()


def changed(place: int, **fields: Any) -> bytes:
    told = [json.loads(line) for line in WHOLE]
    told[place] |= fields
    return packed(*map(json.dumps, told))


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "no header"),
        (b"no gzip at all", "no whole gzip"),
        (pack_lines(lines())[:-9], "no whole gzip"),
        (packed("[" * 100_000), "is no JSON"),
        (packed("{}"), "kind"),
        (packed(*WHOLE[:-1]), "not whole"),
        (packed(WHOLE[0], WHOLE[-1]), "not whole"),
        (packed(*WHOLE[1:]), "no header"),
        (changed(0, platform="../../x"), "platform"),
        (changed(0, url="file:///etc/passwd"), "url"),
        (changed(0, format=2), "format"),
        (changed(0, locale="en\x1b[31mUS"), "locale"),
        (changed(0, locale="not a locale"), "locale"),
        (changed(1, body=" " * 16 * 2**20), "its line 2 has more than 16,777,216 bytes"),
        (changed(1, url="http://127.0.0.1:22/"), "url"),
        (changed(1, status=99), "status"),
        (changed(2, address="javascript:alert(1)"), "address"),
        (changed(2, unknown=1), "unknown"),
        (changed(2, nodes=[{"n": 0, "tag": "a:b"}]), "tag"),
        (changed(2, nodes=[{"n": 0, "tag": "body", "box": [0, 0, 1e300, 0]}]), "box"),
        (changed(2, nodes=[{"n": 0, "tag": "body", "attributes": {"a b": ""}}]), "attributes"),
        (changed(2, nodes=[{"n": 0, "tag": "body"}, {"n": 1, "p": 7, "tag": "p"}]), "no place"),
        (changed(2, nodes=[{"n": 0, "tag": "body"}, {"n": 0, "p": 0, "tag": "p"}]), "no place"),
    ],
)
def test_what_is_no_whole_recording_is_refused(
    content: bytes, problem: str, tmp_path: Path
) -> None:
    (tmp_path / NAME).write_bytes(content)
    with pytest.raises(BadRecording, match=r"Type: python -m agent record --help$") as raised:
        read_recording(tmp_path)
    assert problem in str(raised.value)


def test_what_unpacks_to_too_much_is_not_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recording_file, "MOST_BYTES", 2**20)
    (tmp_path / NAME).write_bytes(gzip.compress(b" " * 2**24))
    with pytest.raises(BadRecording, match="more than 1,048,576 bytes"):
        read_recording(tmp_path)


def test_a_recording_unpacks_to_at_most_64_mib(tmp_path: Path) -> None:
    blank = b" " * 15 * 2**20
    (tmp_path / NAME).write_bytes(gzip.compress(b"\n".join([WHOLE[1].encode() + blank] * 5), 1))
    with pytest.raises(BadRecording, match="more than 67,108,864 bytes"):
        read_recording(tmp_path)


def test_a_recording_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(BadRecording, match="No such file"):
        read_recording(tmp_path)
