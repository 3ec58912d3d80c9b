"""Strangers' pictures and bodies are refused before they cost memory or time."""

from __future__ import annotations

import asyncio
import io
import random
import struct
import warnings
import zlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from agent.daemon.config.jobs import load_watch_file as load_watch
from agent.daemon.config.watch_file import BadWatch
from agent.study.study_file import BadStudy, load_study
from analysis.errors import BadStudyFolder
from analysis.report.declared_study import read_study_file
from personas.errors import BadPersona
from personas.library import load as load_persona
from store.untrusted.size_limits import (
    FORMATS,
    MOST_TOML_BYTES,
    BadToml,
    LimitedBodies,
    TooManyBytes,
    UnreadablePicture,
    collect_bytes,
    decode_picture,
    open_picture,
    read_file,
    read_toml,
)
from tests.store.samples import jpeg

SIDE = 12_000


def small_file_of_many_pixels() -> bytes:
    """A PNG file of some kilobytes that claims 144 million pixels, and has some of them."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + body))
        return struct.pack(">I", len(body)) + kind + body + check

    header = struct.pack(">IIBBBBB", SIDE, SIDE, 8, 2, 0, 0, 0)
    rows = zlib.compress(bytes(3 * SIDE + 1) * 300, 9)
    parts = (chunk(b"IHDR", header), chunk(b"IDAT", rows), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def test_a_small_file_of_many_pixels_is_not_decoded(tmp_path: Path) -> None:
    bomb = small_file_of_many_pixels()
    assert len(bomb) < 40_000
    with pytest.raises(UnreadablePicture, match="12000 x 12000 pixels, at most 50,000,000"):
        decode_picture(bomb)
    (tmp_path / "bomb.png").write_bytes(bomb)
    with pytest.raises(UnreadablePicture), open_picture(tmp_path / "bomb.png"):
        pass


def test_pictures_of_cameras_and_screens_are_decoded() -> None:
    assert decode_picture(jpeg("red")).size == (90, 160)
    for name in FORMATS:
        out = io.BytesIO()
        Image.new("RGB", (30, 20), "green").save(out, name)
        assert decode_picture(out.getvalue()).size == (30, 20)
    with pytest.raises(UnreadablePicture, match="none of JPEG"):
        decode_picture(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n")


@pytest.mark.parametrize(
    "number", [300, pytest.param(10_000, marks=pytest.mark.drill)], ids=["some", "many"]
)
def test_damaged_pictures_are_one_error(number: int) -> None:
    draw = random.Random(5)
    whole = []
    for name in FORMATS:
        out = io.BytesIO()
        Image.effect_noise((40, 30), 90).convert("RGB").save(out, name)
        whole.append(out.getvalue())
    refused = 0
    for turn in range(number):
        raw = bytearray(whole[turn % len(whole)])
        for _ in range(draw.randrange(1, 12)):
            raw[draw.randrange(min(len(raw), draw.choice((40, 400, 10**6))))] = draw.randrange(256)
        del raw[draw.choice((len(raw), draw.randrange(len(raw)))) :]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's own, of TIFF tags that make no sense
            try:
                decode_picture(bytes(raw))
            except UnreadablePicture:
                refused += 1
    assert number / 4 < refused < number


def test_a_file_is_read_up_to_its_limit(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"12345")
    assert read_file(path, 5) == b"12345"
    with pytest.raises(TooManyBytes, match="more than 4 bytes"):
        read_file(path, 4)


def test_a_body_is_collected_up_to_its_limit() -> None:
    taken = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal taken
        while True:
            taken += 1
            yield b"x" * 100

    with pytest.raises(TooManyBytes):
        asyncio.run(collect_bytes(endless(), 950))
    assert taken == 10


@pytest.mark.parametrize("told", [b"2000", b"", b"5"], ids=["told", "not told", "told wrongly"])
def test_a_long_body_is_refused_before_it_is_there(told: bytes) -> None:
    asked, sent = 0, []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        while (await receive())["more_body"]:
            pass
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def receive() -> dict[str, Any]:
        nonlocal asked
        asked += 1
        return {"type": "http.request", "body": b"x" * 100, "more_body": asked < 10_000}

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [(b"content-length", told)] if told else []
    asyncio.run(LimitedBodies(app, 1_000)({"type": "http", "headers": headers}, receive, send))
    assert sent[0]["status"] == 413
    assert b"more than 1,000 bytes" in sent[1]["body"]
    assert asked <= 11


HOSTILE = {
    "a number of 5,000 digits": b"id = " + b"9" * 5000,
    "5,000 lists within each other": b"id = " + b"[" * 5000 + b"]" * 5000,
    "more than a file has": b"#" * (MOST_TOML_BYTES + 1),
    "no text": b"id = '\xff'",
    "NUL": b"id = '\0'",
    "a day that is none": b"id = 2025-02-31",
}
READERS: list[tuple[Callable[[Path], Any], type[Exception]]] = [
    (load_persona, BadPersona),
    (load_study, BadStudy),
    (load_watch, BadWatch),
    (lambda path: read_study_file(path.parent), BadStudyFolder),
]


@pytest.mark.parametrize("what", HOSTILE)
@pytest.mark.parametrize(("read", "fault"), READERS)
def test_what_cannot_be_read_is_told_by_each_reader(
    tmp_path: Path, what: str, read: Callable[[Path], Any], fault: type[Exception]
) -> None:
    path = tmp_path / "study.toml"
    path.write_bytes(HOSTILE[what])
    with pytest.raises(fault, match=r"study\.toml"):
        read(path)


def test_the_line_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_bytes(b"a = 1\r\nb = \r\n")
    with pytest.raises(BadToml) as caught:
        read_toml(path)
    assert caught.value.line == 2


def test_lines_may_end_as_windows_ends_them(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_bytes('a = """x\r\ny"""\r\nb = "ü"\r\n'.encode())
    assert read_toml(path) == {"a": "x\ny", "b": "ü"}


@pytest.mark.parametrize(
    "told",
    ["test = 5", "[test]\nalpha = 'x'", "[test]\nalpha = []", "name = 's'"],
)
def test_a_study_that_declares_no_test_is_told(tmp_path: Path, told: str) -> None:
    (tmp_path / "study.toml").write_text(told)
    (tmp_path / "draws.json").write_text("[" * 50_000)
    with pytest.raises(BadStudyFolder):
        read_study_file(tmp_path)
