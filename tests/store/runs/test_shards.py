"""Shards share out everything once, whatever the order."""

from __future__ import annotations

import pytest

from store.runs.shards import WHOLE, Shard


@pytest.mark.parametrize("of", [1, 2, 3, 16])
def test_every_unit_is_one_shard_s(of: int) -> None:
    units = [f"unit {number}" for number in range(400)]
    shards = [Shard(number, of) for number in range(1, of + 1)]
    assert all(sum(shard.has(unit) for shard in shards) == 1 for unit in units)
    sizes = [sum(shard.has(unit) for unit in units) for shard in shards]
    assert min(sizes) > 400 / of / 3  # of names that do not change: so far apart at most
    dealt = [shard.deal("group", reversed(units)) for shard in shards]
    assert sorted(unit for part in dealt for unit in part) == sorted(units)
    assert max(map(len, dealt)) - min(map(len, dealt)) <= 1
    assert dealt == [shard.deal("group", units) for shard in shards]


def test_which_shard_has_a_unit_never_changes() -> None:
    """Machines of later versions go on with what earlier ones began."""
    units = ("a", "b", "c", "d", "e", "f", "g", "h")
    assert [unit for unit in units if Shard(2, 3).has(unit)] == ["a", "b"]
    assert sorted(Shard(2, 3).deal("group", units)) == ["a", "d", "g"]


def test_words() -> None:
    assert (Shard.parse("3/16"), Shard.parse("1/1")) == (Shard(3, 16), WHOLE)
    for word in ("0/4", "5/4", "x", "1/0", "1", "1/2/3", "-1/4", "1/4 ", "²/4", "1/9999999"):
        with pytest.raises(ValueError, match=r"shard|number"):
            Shard.parse(word)
