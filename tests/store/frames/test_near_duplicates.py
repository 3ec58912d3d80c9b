"""Near-duplicates: found by bits that differ, checked against the plain definition."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from store.frames.near_duplicates import Marks, alike_hashes, near_duplicates, nearest_elsewhere


def plain(phashes: list[str], threshold: int) -> list[int | None]:
    """The definition, written out: the first leader within the threshold."""
    leaders: list[int] = []
    found: list[int | None] = []
    for position, phash in enumerate(phashes):
        near = [
            leader
            for leader in leaders
            if (int(phash, 16) ^ int(phashes[leader], 16)).bit_count() <= threshold
        ]
        found.append(near[0] if near else None)
        if not near:
            leaders.append(position)
    return found


@given(
    st.lists(st.integers(0, 2**10 - 1).map(lambda value: f"{value << 54:016x}"), max_size=60),
    st.integers(0, 6),
)
def test_agrees_with_the_definition(phashes: list[str], threshold: int) -> None:
    assert near_duplicates(phashes, threshold) == plain(phashes, threshold)


@pytest.mark.parametrize("bits", [0, 4, 5])
def test_the_threshold_is_inclusive(bits: int) -> None:
    first = 0xF0F0_F0F0_F0F0_F0F0
    second = first ^ ((1 << bits) - 1)
    expected = 0 if bits <= 4 else None
    assert near_duplicates([f"{first:016x}", f"{second:016x}"])[1] == expected


def test_a_chain_of_small_changes_does_not_join_different_pictures() -> None:
    chain = [f"{(1 << 4 * links) - 1:016x}" for links in range(4)]
    assert near_duplicates(chain) == [None, 0, None, 2]


def test_grows_past_its_first_room() -> None:
    rng = random.Random(5)
    phashes = [f"{rng.getrandbits(64):016x}" for _ in range(3000)]
    found = near_duplicates([*phashes, *phashes])
    assert found[:3000] == [None] * 3000
    assert found[3000:] == list(range(3000))


def test_marks_stay_and_are_taken_over() -> None:
    marks = Marks()
    assert marks.mark("a", "0" * 16) == ""
    assert marks.mark("b", "000000000000000f") == "a"
    assert marks.mark("a", "f" * 16) == ""
    assert "a" in marks
    assert "c" not in marks
    other = Marks()
    other.learn("b", "000000000000000f", "a")
    other.learn("z", "ffffffffffffffff", "")
    assert other.mark("c", "fffffffffffffffe") == "z"
    assert other.mark("b", "0" * 16) == "a"


@given(st.lists(st.integers(0, 2**8 - 1).map(lambda value: f"{value:016x}"), max_size=30))
def test_every_near_pair_is_found(phashes: list[str]) -> None:
    parts = [{place} for place in range(len(phashes))]
    for one, two in alike_hashes(phashes, 1):
        assert (int(phashes[one], 16) ^ int(phashes[two], 16)).bit_count() <= 1
        whole = parts[one] | parts[two]
        for place in whole:
            parts[place] = whole
    for one, first in enumerate(phashes):
        for two, second in enumerate(phashes):
            if (int(first, 16) ^ int(second, 16)).bit_count() <= 1:
                assert two in parts[one]


@given(st.data(), st.sampled_from([0, 4, 8, 64]))
def test_the_nearest_of_others(data: st.DataObject, most: int) -> None:
    hashes = st.lists(st.integers(0, 2**10 - 1).map(lambda value: f"{value:016x}"), max_size=9)
    own, others = data.draw(hashes), data.draw(hashes)
    bits = [[(int(a, 16) ^ int(b, 16)).bit_count() for b in others] for a in own]
    nearest = [min((each for each in row if each <= most), default=65) for row in bits]
    assert nearest_elsewhere(own, others, most).tolist() == nearest
