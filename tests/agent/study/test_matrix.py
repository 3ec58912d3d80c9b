"""Who gets which slot, and which arm of it begins: drawn, and drawn in blocks."""

from __future__ import annotations

import json
from pathlib import Path

from agent.study.matrix import StudyCell, draw, read_draws, start_order
from agent.study.study_file import EXAMPLE, StudyDeclaration, load_study
from analysis.statistics.intervals import binomial_p_value


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
