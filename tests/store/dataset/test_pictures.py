"""Pictures without metadata: the picture's own bytes stay."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from store.dataset.pictures import bare
from tests.store.dataset.test_export import with_comment
from tests.store.samples import jpeg


@pytest.mark.parametrize("progressive", [False, True])
def test_everything_beside_the_picture_goes(progressive: bool) -> None:
    picture = with_comment(jpeg("red"), "a secret")
    if not progressive:
        out = io.BytesIO()
        Image.open(io.BytesIO(picture)).save(out, "JPEG", comment="a secret", restart_marker_rows=1)
        picture = out.getvalue()
    assert b"a secret" in picture
    left = bare(picture)
    assert b"a secret" not in left
    assert left.endswith(b"\xff\xd9")
    before, after = Image.open(io.BytesIO(picture)), Image.open(io.BytesIO(left))
    assert after.tobytes() == before.tobytes()
    assert not after.getexif()
    assert bare(left) == left


def test_a_plain_picture_is_left_as_it_is() -> None:
    assert bare(jpeg("blue")) == jpeg("blue")


@pytest.mark.parametrize("size", [0, 1, 2, 3, 30, 200, 700])
def test_what_is_no_whole_picture_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match="not a JPEG file"):
        bare(jpeg("red")[:size])
    with pytest.raises(ValueError, match="not a JPEG file"):
        bare(b"\xff\xd8" + b"x" * size)


def test_no_thumbnail_is_left_in_any_segment() -> None:
    secret = b"a face in small"
    thumbnail = secret + bytes(3 * 4 * 2 - len(secret))
    jfif = b"JFIF\0\1\2\0\0\1\0\1\4\2" + thumbnail
    segments = [(0xE0, jfif), (0xE0, b"JFXX\0\x10" + secret), (0xEE, b"Adobe" + bytes(7) + secret)]
    segments += [(0xEE, secret), *((marker, secret) for marker in range(0xE1, 0xEE))]
    plain = jpeg("green")
    after = 4 + int.from_bytes(plain[4:6])
    extra = (
        bytes((0xFF, marker)) + (len(told) + 2).to_bytes(2) + told for marker, told in segments
    )
    left = bare(plain[:2] + b"".join(extra) + plain[after:])
    assert secret not in left
    assert left.count(b"JFIF") == left.count(b"Adobe") == 1
    assert Image.open(io.BytesIO(left)).size == Image.open(io.BytesIO(plain)).size
