"""JSON and zip files of strangers: read within limits, or refused in words, whatever the bytes."""

from __future__ import annotations

import io
import random
import zipfile
from pathlib import Path

import pytest

from store.untrusted.json_files import BadJson, BadLines, parse_json, read_json_lines
from store.untrusted.size_limits import ForeignFault, TooManyBytes
from store.untrusted.zip_members import read_member
from tests.store.dataset.donation_samples import packed, tiktok


def lines(content: bytes, most_bytes: int = 1000, most_lines: int = 10) -> list[object]:
    return list(read_json_lines(io.BytesIO(content), most_bytes, most_lines, 100))


def test_lines_are_values_and_limits_hold_at_their_very_end() -> None:
    assert lines(b'{"a": 1}\n[2]\n"\xe2\x80\xa8"\n3') == [{"a": 1}, [2], "\u2028", 3]
    assert lines(b"") == []
    assert lines(b"\n1\n \t\r\n2\r\n\n\n") == [1, 2]
    with pytest.raises(BadLines, match="more than 10 lines"):
        lines(b"\n" * 10 + b"1")
    assert lines(b"1\n" * 10) == [1] * 10
    with pytest.raises(BadLines, match="more than 10 lines"):
        lines(b"1\n" * 11)
    whole = b'"' + b"x" * 97 + b'"\n'
    assert len(whole) == 100
    assert lines(whole) == ["x" * 97]
    with pytest.raises(BadLines, match="line 1 has more than 100 bytes"):
        lines(whole[:-2] + b'x"\n')
    assert lines(b"1\n" * 5, most_bytes=10) == [1] * 5
    with pytest.raises(TooManyBytes):
        lines(b"1\n" * 5 + b"1", most_bytes=10)


@pytest.mark.parametrize(
    "content",
    [b"", b"\xff", b"{", b"[" * 200_000, b"9" * 5000, b"\x00", b"nul", b"\xfe\xff\xd8\x00"],
)
def test_what_is_no_json_is_refused(content: bytes) -> None:
    with pytest.raises(BadJson, match="no JSON"):
        parse_json(content)


def test_the_member_that_lies_least_deep_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(packed({"x/y/a.json": 1, "B/A.JSON": 2, "a.json.txt": 3, "c": 4}))
    assert read_member(path, ["a.json"], 100) == b"2"
    assert read_member(path, ["d.json"], 100) is None
    with pytest.raises(TooManyBytes):
        read_member(path, ["a.json"], 0)


def test_any_bytes_are_a_member_or_refused(tmp_path: Path) -> None:
    """Bytes that are changed, cut and doubled, by a seed."""
    rng = random.Random(7)
    whole = packed({"a/user_data.json": tiktok(30), "b.json": [1]})
    path, refused = tmp_path / "a.zip", 0
    for _ in range(400):
        raw = bytearray(whole)
        for _ in range(rng.randint(1, 6)):
            at = rng.choice([rng.randrange(len(raw)), len(raw) - 1 - rng.randrange(120)])
            raw[at] = rng.randrange(256)
        if rng.random() < 0.2:
            raw = raw[: rng.randrange(len(raw))]
        elif rng.random() < 0.1:
            raw += raw[rng.randrange(len(raw)) :]
        path.write_bytes(raw)
        try:
            told = read_member(path, ["user_data.json"], 10_000)
        except ForeignFault:
            refused += 1
        else:
            assert told is None or len(told) <= 10_000
    assert 40 < refused < 400


def test_what_asks_for_any_memory_is_refused(tmp_path: Path) -> None:
    """LZMA names the size of its dictionary: four bytes of a small file ask for gigabytes."""
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("a.json", b"{}")
    with pytest.raises(ForeignFault, match="packed in an unusual way"):
        read_member(path, ("a.json",), 100)
