"""Studies of several data folders, united: one declaration, one draw, and what was noted since.

Runs of a study are pooled by its name. So a folder whose study of that name is another one brings
none of them, and runs of another model, or of a cell that was run elsewhere, stay out.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, TypeAdapter, ValidationError

from store.jsonl.base_record import tell_fault
from store.runs.data_folder import DataFolder
from store.runs.ledger import RunSummary
from store.runs.study_looks import StudyLook, TestedSize
from store.untrusted.size_limits import parse_toml

FILES = ("study.toml", "draws.json", "frozen.json", "occurrences.json", "looks.json", "tested.json")
_FREE = ("pace", "adapters", "rejudge", "budget")
"""Tables of a study file that may differ from machine to machine."""


class _DrawnCell(BaseModel):
    """What a drawn cell has at least."""

    platform: str
    strategy: str
    model: str
    replicate: int
    slot: int
    arm: str
    persona: str


_KINDS: dict[str, TypeAdapter[Any]] = {
    "draws.json": TypeAdapter(list[_DrawnCell]),
    "frozen.json": TypeAdapter(dict[str, Any]),
    "occurrences.json": TypeAdapter(dict[str, int]),
    "looks.json": TypeAdapter(tuple[StudyLook, ...]),
    "tested.json": TypeAdapter(tuple[TestedSize, ...]),
}
"""What a study's files hold: one that holds something else would stop the study here."""


class StudiesDiffer(Exception):
    """Two studies of one name that are not the same; the text says in what."""


def unite_study(mine: Mapping[str, bytes], theirs: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return the files of a study that change, given those of two folders by name.

    Raises ``StudiesDiffer``.
    """
    try:
        _check_read(theirs)
        return _united(mine, theirs)
    except ValidationError as error:
        raise StudiesDiffer(f"one of its files cannot be read ({tell_fault(error)})") from None
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise StudiesDiffer(f"one of its files cannot be read ({error})") from None


def _check_read(files: Mapping[str, bytes]) -> None:
    """Raise where a file holds something else than a study's does."""
    for name, kind in _KINDS.items():
        if name in files:
            kind.validate_json(files[name])
    if "study.toml" in files:
        parse_toml(files["study.toml"])


def _united(mine: Mapping[str, bytes], theirs: Mapping[str, bytes]) -> dict[str, bytes]:
    if not mine:
        return dict(theirs)
    if "study.toml" in mine and "study.toml" in theirs:
        _compare_declared(mine["study.toml"], theirs["study.toml"])
    changed: dict[str, bytes] = {}
    drawn, other = (json.loads(one.get("draws.json", b"[]")) for one in (mine, theirs))
    if drawn[: len(other)] != other:
        if other[: len(drawn)] != drawn:
            raise StudiesDiffer("its cells were drawn otherwise")
        _compare_budgets(mine, theirs)
        changed = {name: theirs[name] for name in ("study.toml", "draws.json") if name in theirs}
    elif "study.toml" not in mine and "study.toml" in theirs:
        changed = {"study.toml": theirs["study.toml"]}
    for name, what in (("frozen.json", "what it froze"), ("occurrences.json", "its due times")):
        if name in theirs:
            before = json.loads(mine.get(name, b"{}"))
            after = _joined(before, json.loads(theirs[name]), what)
            changed |= {} if after == before else {name: _dump(after)}
    return changed | _noted(mine, theirs)


def _noted(mine: Mapping[str, bytes], theirs: Mapping[str, bytes]) -> dict[str, bytes]:
    """Looks, and sizes at which the study was tested."""
    changed: dict[str, bytes] = {}
    looked, other = (json.loads(one.get("looks.json", b"[]")) for one in (mine, theirs))
    if looked[: len(other)] != other:
        if other[: len(looked)] != looked:
            raise StudiesDiffer("its looks were other ones")
        changed["looks.json"] = theirs["looks.json"]
    tested, other = (json.loads(one.get("tested.json", b"[]")) for one in (mine, theirs))
    sizes = {one["cells"] for one in tested}
    if more := [one for one in other if one["cells"] not in sizes]:
        changed["tested.json"] = _dump(sorted([*tested, *more], key=lambda one: one["cells"]))
    return changed


def _compare_declared(mine: bytes, theirs: bytes) -> None:
    """Refuse study files that differ in more than size, pace and money."""
    read = [parse_toml(text) for text in (mine, theirs)]
    for declared in read:
        for name in _FREE:
            declared.pop(name, None)
        for name in ("personas", "replicates"):
            declared.get("matrix", {}).pop(name, None)
    for name in sorted(read[0].keys() | read[1].keys()):
        if read[0].get(name) != read[1].get(name):
            raise StudiesDiffer(f"{name} in its study file is another")


def _compare_budgets(mine: Mapping[str, bytes], theirs: Mapping[str, bytes]) -> None:
    """Refuse a study file that would come with another budget than what may be spent here."""
    if "study.toml" in mine and "study.toml" in theirs:
        here, there = (parse_toml(one["study.toml"]).get("budget") for one in (mine, theirs))
        if here != there:
            what = "it has more cells and another budget; write the same [budget] into both"
            raise StudiesDiffer(what)


def _joined(mine: Any, theirs: Any, what: str) -> Any:
    """Unite two tables whose common entries are equal."""
    if not isinstance(mine, dict) or not isinstance(theirs, dict):
        if mine != theirs:
            raise StudiesDiffer(f"{what} is another")
        return mine
    common = {name: _joined(mine[name], theirs[name], what) for name in mine if name in theirs}
    return mine | theirs | common


def _dump(value: Any) -> bytes:
    return json.dumps(value, indent=1).encode()


@dataclass
class PooledRuns:
    """What is known of the runs that are pooled, folder by folder."""

    cells: dict[tuple[str, str], set[str]] = field(default_factory=lambda: defaultdict(set))
    """Ids of runs, by study and cell."""
    models: dict[tuple[str, str], str | None] = field(default_factory=dict)
    """Fingerprint of each model, by study."""

    def add(self, data: DataFolder, without: set[str]) -> tuple[set[str], list[str]]:
        """Take in the runs of a folder; return whose are left out, and why.

        ``without``: studies that are not the same there.
        """
        cells: dict[tuple[str, str], list[RunSummary]] = defaultdict(list)
        out: set[str] = set()
        why: list[str] = []
        for run in data.runs():
            config = run.started.config if run.started is not None else {}
            study, cell = config.get("study"), config.get("cell")
            if study in without:
                out.add(run.run_id)
            elif run.started is not None and study is not None:
                cells[str(study), str(cell)].append(run)
        for place, runs in cells.items():
            problem = self._refused(place, runs)
            if problem is None:
                self.cells[place].update(run.run_id for run in runs)
            else:
                out.update(run.run_id for run in runs)
                why.append(f"{data.root}: {problem}")
        return out, why

    def _refused(self, place: tuple[str, str], runs: list[RunSummary]) -> str | None:
        study, cell = place
        have, ids = self.cells[place], {run.run_id for run in runs}
        if not (have <= ids or ids <= have):
            names = ", ".join(sorted(ids - have))
            return f"cell {cell} of study {study} was run elsewhere too: {names} stays out"
        for run in runs:
            assert run.started is not None
            model, mark = run.started.model, run.started.fingerprint
            known = self.models.setdefault((study, model), mark)
            if None not in (known, mark) and known != mark:
                return f"run {run.run_id} of study {study} is of another {model}: it stays out"
        return None
