"""Hashes by bands: what they find is what comparing all finds."""

from __future__ import annotations

import random

import pytest

from store.frames import hash_bands
from store.frames.hash_bands import HashBands
from store.frames.near_duplicates import alike_hashes, near_duplicates, nearest_elsewhere


def clusters(rng: random.Random, count: int, most: int) -> list[int]:
    """Hashes around common middles, up to so many bits from the middle, some of them twice."""
    middles = [rng.getrandbits(64) for _ in range(max(1, count // 12))]
    made = []
    for _ in range(count):
        bits = rng.sample(range(64), rng.randint(0, most))
        made.append(rng.choice(middles) ^ sum(1 << bit for bit in bits))
    return made


def within(one: int, other: int, bits: int) -> bool:
    return (one ^ other).bit_count() <= bits


@pytest.mark.parametrize("threshold", [0, 1, 3, 4, 5, 8, 11])
def test_finds_what_comparing_all_finds(threshold: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hash_bands, "_SCAN", 0)
    rng = random.Random(threshold)
    values = clusters(rng, 600, threshold + 2)
    bands = HashBands(threshold)
    pairs = 0
    for place, value in enumerate(values):
        near = [at for at in range(place) if within(values[at], value, threshold)]
        assert sorted(set(bands.near(value).tolist())) == near
        pairs += len(near)
        bands.put(value)
    assert pairs > 100
    assert len(bands) == 600


@pytest.mark.parametrize("bits", [4, 5])
def test_exactly_four_bits_are_near_wherever_they_are(
    bits: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hash_bands, "_SCAN", 0)
    rng = random.Random(bits)
    bands = HashBands(4)
    bands.put(0x9E37_79B9_7F4A_7C15)
    for _ in range(2000):
        apart = sum(1 << bit for bit in rng.sample(range(64), bits))
        assert (len(bands.near(0x9E37_79B9_7F4A_7C15 ^ apart)) > 0) == (bits == 4)


def test_many_hashes_are_compared_alike_with_bands_and_without(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    phashes = [f"{value:016x}" for value in clusters(random.Random(7), 15_000, 4)]
    own, others = phashes[:2000], phashes[6000:]

    def found() -> tuple[list[int | None], set[tuple[int, int]], list[int]]:
        return (
            near_duplicates(phashes),
            set(alike_hashes(phashes)),
            nearest_elsewhere(own, others, 8).tolist(),
        )

    by_bands = found()
    monkeypatch.setattr(hash_bands, "_SCAN", 1 << 30)
    assert found() == by_bands
    firsts = sum(earlier is None for earlier in by_bands[0])
    assert 4096 < firsts < 14_000
    assert len(set(by_bands[2])) > 5
