"""Which persona gets which account and start slot: drawn at random, once, and kept.

Tests over the persona matrix are exact because of this draw, not because runs are alike
(``docs/measurement.md``). Refuses to run anything.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from itertools import product
from pathlib import Path

import numpy as np
from pydantic import TypeAdapter

from agent.config import Arm, Value
from agent.study.declared import Declared
from store.files import write_whole

ORDER: dict[Arm, int] = {"treatment": 0, "passive": 1, "yoked": 2}


class Cell(Value):
    """One run of the study, with the account slot that its persona was drawn for."""

    platform: str
    strategy: str
    model: str
    replicate: int
    slot: int
    """Place in the start order, and name of the account."""
    arm: Arm
    persona: str

    @property
    def group(self) -> str:
        """What a draw is made within."""
        return f"{self.platform}/{self.strategy}/{self.model}/{self.replicate}"

    @property
    def key(self) -> str:
        """Name of the cell within its study."""
        return f"{self.group}/{self.persona}/{self.arm}"

    @property
    def account(self) -> str:
        """Name of the account: of the slot, not of the persona."""
        text = f"{self.strategy}/{self.model}".encode()
        mark = hashlib.sha256(text).hexdigest()[:4]
        return f"slot{self.slot:03d}-{self.arm}-r{self.replicate}-{mark}"


_CELLS = TypeAdapter(list[Cell])


def draw(declared: Declared, drawn: Iterable[Cell]) -> list[Cell]:
    """Draw what is not drawn yet.

    Parameters
    ----------
    declared
        The study. Extended since, perhaps: more personas or replicates.
    drawn
        Cells of earlier draws. They keep their slots; new personas get the slots after them.

    Returns
    -------
    list of Cell
        The new cells only.
    """
    before = list(drawn)
    matrix = declared.matrix
    new: list[Cell] = []
    for platform, strategy, model, replicate in product(
        matrix.platforms, matrix.strategies, matrix.models, range(1, matrix.replicates + 1)
    ):
        group = f"{platform}/{strategy}/{model}/{replicate}"
        slots = {cell.persona: cell.slot for cell in before if cell.group == group}
        fresh = [persona for persona in matrix.personas if persona not in slots]
        first = max(slots.values(), default=0) + 1
        order = _generator(declared.seed, group, first).permutation(len(fresh))
        slots |= {fresh[place]: first + rank for rank, place in enumerate(order)}
        for persona, arm in product(matrix.personas, matrix.arms):
            if arm == "yoked" and replicate == 1:
                continue  # nothing earlier to be yoked to
            cell = Cell(
                platform=platform, strategy=strategy, model=model, replicate=replicate,
                slot=slots[persona], arm=arm, persona=persona,
            )  # fmt: skip
            if cell not in before:
                new.append(cell)
    return new


def _generator(seed: int, group: str, first: int) -> np.random.Generator:
    name = int.from_bytes(hashlib.sha256(f"{group}/{first}".encode()).digest()[:8], "big")
    return np.random.default_rng([seed, name])


def start_order(cells: Iterable[Cell]) -> list[Cell]:
    """Replicate by replicate, slot by slot, the arms of a slot side by side."""
    return sorted(
        cells,
        key=lambda cell: (
            cell.replicate, cell.platform, cell.strategy, cell.model, cell.slot, ORDER[cell.arm],
        ),
    )  # fmt: skip


def source_of(cell: Cell, cells: Iterable[Cell]) -> Cell | None:
    """Return the treatment that a yoked cell is yoked to: one replicate earlier, same persona."""
    if cell.arm != "yoked":
        return None
    for other in cells:
        same = (other.platform, other.strategy, other.model, other.persona) == (
            cell.platform, cell.strategy, cell.model, cell.persona,
        )  # fmt: skip
        if same and other.arm == "treatment" and other.replicate == cell.replicate - 1:
            return other
    return None


def read_draws(path: Path) -> list[Cell]:
    """Return every cell drawn so far."""
    return _CELLS.validate_json(path.read_bytes()) if path.exists() else []


def write_draws(path: Path, cells: list[Cell]) -> None:
    """Keep the draws: whole, or as they were."""
    write_whole(path, _CELLS.dump_json(cells, indent=1))
