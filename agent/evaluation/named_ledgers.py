"""The ledgers that a person names: runs, or a study for all of its own."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from agent.errors import BadConfig
from store.jsonl.paths import is_name
from store.runs.data_folder import DataFolder
from store.runs.ledger import Ledger, read, read_each


def find_ledgers(
    data: DataFolder,
    names: Sequence[str],
    left_out: list[str],
    arms: Collection[str] | None = ("treatment",),
) -> list[Ledger]:
    """Return the runs that were named; a study's name stands for its complete runs of these arms.

    ``arms``: ``None`` for all.
    ``left_out`` takes a sentence for each ledger that cannot be read, of a study or of nobody knows
    which.
    """
    found: list[Ledger] = []
    for name in names:
        if is_name(name) and (data.studies_dir / name).is_dir():
            runs = data.runs()
            left_out += [run.problem for run in runs if run.problem is not None]
            complete = [
                run.path
                for run in runs
                if run.status == "complete"
                and run.started
                and (arms is None or run.started.arm in arms)
                and run.started.config.get("study") == name
            ]
            found += read_each(complete, left_out)
        else:
            found.append(read(data.find_run(name)))
    if not found:
        raise BadConfig(f"{names[0]} has no complete treatment run. Type: python -m store runs")
    return list({ledger.started.run_id: ledger for ledger in found}.values())
