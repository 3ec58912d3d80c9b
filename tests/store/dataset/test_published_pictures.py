"""Pictures without metadata: the picture's own bytes stay."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from agent.playground.footage import decode_film, load_footage
from store.dataset.published_pictures import Box, bare, faces
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


PEOPLE: dict[str, Box] = {
    "turtleneck": (152, 52, 297, 198),
    "sunset-shades": (121, 45, 244, 197),
    "green-knit": (142, 46, 263, 199),
    "orange-flares": (175, 64, 232, 130),
    "biker-jacket": (187, 46, 308, 229),
    "listener": (189, 75, 244, 166),
}
"""Where a face is in the first picture of a piece of footage, measured by eye and detector."""


def shown(person: str, size: tuple[int, int], share: float) -> tuple[Image.Image, Box]:
    """A picture of this size of which a face takes this share of the width; and the face."""
    still = np.asarray(decode_film(load_footage()[person]).at(0.0, 5.0).convert("RGB"))
    left, top, right, bottom = PEOPLE[person]
    width = (right - left) / share
    height = width * size[1] / size[0]
    at = ((left + right - width) / 2, (top + bottom - height) / 2)
    more = round(max(width, height))
    wide = Image.fromarray(np.pad(still, ((more, more), (more, more), (0, 0)), mode="edge"))
    box = (at[0] + more, at[1] + more, at[0] + more + width, at[1] + more + height)
    scale = size[0] / width
    face = [round(scale * (edge - at[place % 2])) for place, edge in enumerate(PEOPLE[person])]
    return wide.resize(size, Image.Resampling.BICUBIC, box), (face[0], face[1], face[2], face[3])


def covered(face: Box, boxes: list[Box]) -> float:
    """Share of a face that lies in boxes."""
    mask = np.zeros((face[3] - face[1], face[2] - face[0]), dtype=bool)
    for left, top, right, bottom in boxes:
        mask[
            max(0, top - face[1]) : max(0, bottom - face[1]),
            max(0, left - face[0]) : max(0, right - face[0]),
        ] = True
    return float(mask.mean())


@pytest.mark.parametrize(
    ("person", "size", "share"),
    [
        ("sunset-shades", (720, 1280), 1.0),
        ("orange-flares", (720, 1280), 1.0),
        ("listener", (720, 1280), 0.8),
        ("biker-jacket", (1080, 1920), 0.8),
        ("turtleneck", (412, 732), 0.2),
    ],
)
def test_a_face_is_found_however_much_of_a_picture_it_fills(
    person: str, size: tuple[int, int], share: float
) -> None:
    picture, face = shown(person, size, share)
    assert covered(face, faces(np.asarray(picture))) >= 0.6


@pytest.mark.drill
@pytest.mark.parametrize("size", [(412, 732), (720, 1280), (1080, 1920)])
def test_recall_by_share_is_as_the_card_says(size: tuple[int, int]) -> None:
    """Of six faces each, all but one of the smallest."""
    for share, least in ((0.05, 5), (0.1, 6), (0.2, 6), (0.4, 6), (0.7, 6), (1.0, 6)):
        found = 0
        for person in PEOPLE:
            picture, face = shown(person, size, share)
            found += covered(face, faces(np.asarray(picture))) >= 0.6
        assert found >= least, share


def test_boxes_of_one_face_become_one_and_neighbours_stay_apart() -> None:
    one, _ = shown("green-knit", (412, 732), 0.35)
    two = Image.new("RGB", (824, 732))
    two.paste(one, (0, 0))
    two.paste(one, (412, 0))
    assert len(faces(np.asarray(two))) == 2
