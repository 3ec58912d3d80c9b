"""Who gets which slot, and which arm of it begins: drawn, and drawn in blocks."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agent.errors import BadConfig
from agent.study.matrix import (
    StudyCell,
    draw,
    find_source,
    read_draws,
    shard_cells,
    start_order,
)
from agent.study.study_file import EXAMPLE, StudyDeclaration, load_study
from analysis.statistics.intervals import binomial_p_value
from store.runs.shards import Shard


def declared(
    folder: Path, personas: list[str], seed: int = 7, replicates: int = 1
) -> StudyDeclaration:
    file = folder / "study.toml"
    first, last = EXAMPLE.index("personas ="), EXAMPLE.index("platforms =")
    text = f"{EXAMPLE[:first]}personas = {json.dumps(personas)}\n{EXAMPLE[last:]}"
    text = text.replace('arms = ["treatment"]', 'arms = ["treatment", "passive"]')
    file.write_text(text.replace("seed = 7", f"seed = {seed}"), encoding="utf-8")
    return load_study(file).with_replicates(replicates)


def test_the_draw_does_not_depend_on_the_order_of_the_file(tmp_path: Path) -> None:
    names = ["p05", "p09", "p12", "p16", "p21", "p30"]
    one = draw(declared(tmp_path, names), [])
    other = draw(declared(tmp_path, names[::-1]), [])
    assert len(one) == 12
    assert sorted(one, key=lambda cell: cell.key) == sorted(other, key=lambda cell: cell.key)


def test_which_arm_of_a_slot_begins_is_drawn(tmp_path: Path) -> None:
    firsts = [
        cells[0].arm
        for seed in range(100)
        for cells in [start_order(draw(declared(tmp_path, ["p05", "p09"], seed), []))]
    ]
    assert len(firsts) == 100
    assert binomial_p_value(firsts.count("treatment"), 100, 0.5) > 0.0005


def test_each_draw_is_a_block_and_is_never_drawn_again(tmp_path: Path) -> None:
    first = draw(declared(tmp_path, ["p12", "p09"]), [])
    more = draw(declared(tmp_path, ["p30", "p12", "p05", "p09"]), first)
    assert {cell.persona for cell in more} == {"p30", "p05"}
    assert {cell.slot for cell in more} == {3, 4}
    assert ({cell.block for cell in first}, {cell.block for cell in more}) == ({1}, {2})
    again = draw(declared(tmp_path, ["p30", "p12", "p05", "p09"], replicates=2), first + more)
    assert {(cell.replicate, cell.block) for cell in again} == {(2, 1)}
    assert len(again) == 8


def test_draws_of_earlier_versions_can_be_gone_on_with(tmp_path: Path) -> None:
    cells = [
        cell.model_dump(exclude={"block", "turn"})
        for cell in draw(declared(tmp_path, ["p12", "p09"]), [])
    ]
    path = tmp_path / "draws.json"
    path.write_text(json.dumps(cells), encoding="utf-8")
    kept: list[StudyCell] = read_draws(path)
    assert {cell.block for cell in kept} == {0}
    more = draw(declared(tmp_path, ["p12", "p09", "p30"]), kept)
    assert {(cell.persona, cell.block) for cell in more} == {("p30", 1)}


def test_shards_of_a_study_have_each_cell_once_and_equally_many(tmp_path: Path) -> None:
    names = ["p05", "p09", "p12", "p16", "p21", "p30", "p19"]
    cells = draw(declared(tmp_path, names, replicates=3), [])
    parts = [shard_cells(cells[::-1], Shard(number, 4)) for number in (1, 2, 3, 4)]
    assert sorted(cell.key for part in parts for cell in part) == sorted(c.key for c in cells)
    for replicate in (1, 2, 3):  # of which each is a draw; both arms of a slot are one machine's
        sizes = [sum(cell.replicate == replicate for cell in part) for part in parts]
        assert sorted(sizes) == [2, 4, 4, 4]
    assert all(
        {cell.arm for cell in part if (cell.group, cell.slot) == (one.group, one.slot)}
        == {"treatment", "passive"}
        for part in parts
        for one in part
    )
    accounts = [{(cell.platform, cell.account) for cell in part} for part in parts]
    assert len(set().union(*accounts)) == sum(map(len, accounts)) == len(cells)
    more = cells + draw(declared(tmp_path, [*names, "p01", "p28"], replicates=3), cells)
    longer = [shard_cells(more, Shard(number, 4)) for number in (1, 2, 3, 4)]
    assert all(set(part) <= set(after) for part, after in zip(parts, longer, strict=True))


def test_a_yoked_run_is_in_its_source_s_shard(tmp_path: Path) -> None:
    study = declared(tmp_path, ["p05", "p09", "p12", "p16", "p21"], replicates=3)
    matrix = study.matrix.model_copy(update={"arms": ("treatment", "yoked")})
    cells = draw(study.model_copy(update={"matrix": matrix}), [])
    yoked = 0
    for number in (1, 2, 3):
        part = shard_cells(cells, Shard(number, 3))
        for cell in part:
            source = find_source(cell, cells)
            yoked += source is not None
            assert source is None or source in part
    assert yoked == 10


def test_an_account_of_two_shards_is_refused(tmp_path: Path) -> None:
    first, *others = draw(declared(tmp_path, ["p05", "p09", "p12", "p16"]), [])
    twin = first.model_copy(update={"persona": "p99"})  # the same slot, drawn twice
    cells, names = [first, twin, *others], ["p05", "p09", "p12", "p16", "p99"]
    parts = [Shard(number, 4).deal(f"{first.group}/1", names) for number in (1, 2, 3, 4)]
    assert not any({first.persona, "p99"} <= part for part in parts)  # two machines', if allowed
    refused = 0
    for number, part in enumerate(parts, 1):
        if {first.persona, "p99"} & part:
            refused += 1
            with pytest.raises(BadConfig, match="without --shard"):
                shard_cells(cells, Shard(number, 4))
    assert refused == 2
