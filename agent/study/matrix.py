"""Which persona gets which account and start slot: drawn at random, once, and kept.

Tests over the persona matrix are exact because of this draw, not because runs are alike
(``docs/measurement.md``). Personas that are added later are drawn among themselves: a draw is a
block, and a test may exchange runs within a block only.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from itertools import product
from pathlib import Path
from typing import TypeVar

import numpy as np
from pydantic import TypeAdapter, ValidationError

from agent.errors import BadConfig
from agent.run_config import Arm, FrozenValue
from agent.study.study_file import StudyDeclaration
from store.jsonl.base_record import tell_fault
from store.jsonl.file_seal import CHANGED, check_seal, write_sealed
from store.runs.shards import Shard

T = TypeVar("T")

ORDER: dict[Arm, int] = {"treatment": 0, "passive": 1, "yoked": 2}


class StudyCell(FrozenValue):
    """One run of the study, with the account slot that its persona was drawn for."""

    platform: str
    strategy: str
    model: str
    replicate: int
    slot: int
    """Place in the start order, and name of the account."""
    arm: Arm
    persona: str
    block: int = 0
    """Draw of its group that it comes from, counted from 1; 0 where that was not recorded."""
    turn: int = 0
    """Place of the arm among those of its slot, drawn too; 0 in draws that had a fixed order."""

    @property
    def group(self) -> str:
        """What a draw is made within."""
        return f"{self.platform}/{self.strategy}/{self.model}/{self.replicate}"

    @property
    def key(self) -> str:
        return f"{self.group}/{self.persona}/{self.arm}"

    @property
    def account(self) -> str:
        """Name of the account: of the slot, not of the persona."""
        text = f"{self.strategy}/{self.model}".encode()
        mark = hashlib.sha256(text).hexdigest()[:4]
        return f"slot{self.slot:03d}-{self.arm}-r{self.replicate}-{mark}"


_CELLS = TypeAdapter(list[StudyCell])


def log_path(study: Path, key: str) -> Path:
    """Return where the log of a cell lies, below its study's folder."""
    return study / "logs" / f"{key.replace('/', '_')}.log"


def draw(declared: StudyDeclaration, drawn: Iterable[StudyCell]) -> list[StudyCell]:
    """Draw what is not drawn yet, and return only that: slots, and the order of each slot's arms.

    It depends on the names of the personas, not on the order in which a file lists them. Cells of
    earlier draws keep their slots; new personas get the slots after them.
    """
    before = list(drawn)
    matrix = declared.matrix
    new: list[StudyCell] = []
    for platform, strategy, model, replicate in product(
        matrix.platforms, matrix.strategies, matrix.models, range(1, matrix.replicates + 1)
    ):
        group = f"{platform}/{strategy}/{model}/{replicate}"
        earlier = [cell for cell in before if cell.group == group]
        fresh = sorted(set(matrix.personas) - {cell.persona for cell in earlier})
        first = 1 + max((cell.slot for cell in earlier), default=0)
        block = 1 + max((cell.block for cell in earlier), default=0)
        rng = _generator(declared.seed, group, first)
        # a first replicate has nothing earlier to be yoked to
        arms = sorted(
            (arm for arm in matrix.arms if arm != "yoked" or replicate > 1), key=ORDER.__getitem__
        )
        for rank, place in enumerate(rng.permutation(len(fresh))):
            new += [
                StudyCell(
                    platform=platform,
                    strategy=strategy,
                    model=model,
                    replicate=replicate,
                    slot=first + rank,
                    arm=arm,
                    persona=fresh[place],
                    block=block,
                    turn=turn,
                )
                for arm, turn in zip(arms, rng.permutation(len(arms)).tolist(), strict=True)
            ]
    return new


def _generator(seed: int, group: str, first: int) -> np.random.Generator:
    name = int.from_bytes(hashlib.sha256(f"{group}/{first}".encode()).digest()[:8], "big")
    return np.random.default_rng([seed, name])


def start_order(cells: Iterable[StudyCell]) -> list[StudyCell]:
    """Replicate by replicate, slot by slot, the arms of a slot side by side in the order drawn."""
    return sorted(
        cells,
        key=lambda cell: (
            cell.replicate,
            cell.platform,
            cell.strategy,
            cell.model,
            cell.slot,
            cell.turn,
            ORDER[cell.arm],
        ),
    )


def shard_cells(cells: Iterable[StudyCell], shard: Shard) -> tuple[StudyCell, ...]:
    """Return the cells of one shard, dealt evenly within each draw.

    The arms of a slot are one machine's, and so are a yoked run and the run that it is yoked to,
    with all replicates of its persona. Cells that are added later change nothing of earlier draws.
    Raises ``BadConfig`` where cells of two shards would share an account.
    """
    everything = start_order(cells)
    yoked = {cell.group.rpartition("/")[0] for cell in everything if cell.arm == "yoked"}
    draws: dict[str, set[str]] = {}
    units: dict[StudyCell, tuple[str, str]] = {}
    first_blocks: dict[tuple[str, str], int] = {}
    for cell in everything:
        series = cell.group.rpartition("/")[0]
        group = series if series in yoked else cell.group
        block = first_blocks.setdefault((group, cell.persona), cell.block)
        units[cell] = (f"{group}/{block}", cell.persona)
        draws.setdefault(f"{group}/{block}", set()).add(cell.persona)
    own = {draw: shard.deal(draw, personas) for draw, personas in draws.items()}
    chosen = tuple(cell for cell in everything if units[cell][1] in own[units[cell][0]])
    accounts = {(cell.platform, cell.account) for cell in chosen}
    for cell in set(everything).difference(chosen):
        if (cell.platform, cell.account) in accounts:
            raise BadConfig(
                f"The account {cell.account} is of cells of two shards, and only one machine may "
                "be signed in with it. Type: the same without --shard"
            )
    return chosen


def find_source(cell: StudyCell, cells: Iterable[StudyCell]) -> StudyCell | None:
    """Return the treatment that a yoked cell is yoked to: one replicate earlier, same persona."""
    if cell.arm != "yoked":
        return None
    for other in cells:
        same = (other.platform, other.strategy, other.model, other.persona) == (
            cell.platform,
            cell.strategy,
            cell.model,
            cell.persona,
        )
        if same and other.arm == "treatment" and other.replicate == cell.replicate - 1:
            return other
    return None


def read_draws(path: Path) -> list[StudyCell]:
    """Return every cell drawn so far; raises ``BadConfig`` where the file is damaged."""
    return read_whole(_CELLS, path) if path.exists() else []


def read_whole(kind: TypeAdapter[T], path: Path) -> T:
    """Read a study's own file; where it is damaged (``BadConfig``), nothing is drawn anew."""
    content = path.read_bytes()
    try:
        made = kind.validate_json(content)
        fault = CHANGED if check_seal(content) == "changed" else None
    except ValidationError as error:
        fault = f"{tell_fault(error)}."
    if fault is not None:
        raise BadConfig(
            f"{path} is damaged: {fault} Put it back from a backup. "
            "Type: python -m store restore BACKUP.tar --data NEW_FOLDER"
        )
    return made


def write_draws(path: Path, cells: list[StudyCell]) -> None:
    write_sealed(path, _CELLS.dump_json(cells, indent=1))
