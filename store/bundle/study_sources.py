"""Which files of a data folder the report of a study, or of a run, is made of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from store.errors import StoreError
from store.runs.data_folder import DataFolder
from store.runs.labels import labels_path, list_draws, list_labellers, read_draw
from store.runs.ledger_lines import RunStarted
from store.runs.rejudgements import judgement_files

DECLARED = ("study.toml", "draws.json", "looks.json")
"""Files of a study's folder that its figures depend on."""
BESIDE = ("frozen.json", "tested.json")
"""Files of it that tell more; the last one a report itself writes."""
_NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class StudySources:
    """What a report is made of, by place in the data folder.

    ``figures``: files that its figures depend on. ``more``: files that are read too, and grow by
    themselves. ``heads``: other runs, of which the first line alone is read.
    """

    runs: tuple[RunStarted, ...]
    """Those that it is about, then those that its null is drawn from."""
    figures: tuple[str, ...]
    more: tuple[str, ...]
    heads: tuple[RunStarted, ...]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(first.run_id for first in self.runs)


def find_sources(
    data: DataFolder, study: str | None, runs: Sequence[str], nulls: Iterable[str] = ()
) -> StudySources:
    """Find what a report is made of.

    Parameters
    ----------
    study
        Its name; ``None`` for a report of ``runs``.
    nulls
        Further runs, which the null is drawn from.
    """
    kept = {run.path.parent.name: run.started for run in data.runs() if run.started is not None}
    own = [
        name
        for name, first in kept.items()
        if (first.study == study if study is not None else name in runs)
    ]
    own += [name for name in nulls if name in kept and name not in own]
    firsts = tuple(kept[name] for name in own)
    places = [place for name in own for place in _of_run(data, name)]
    places += _labels(data, own)
    more = _canaries(data, firsts)
    if study is not None:
        home = data.study_dir(study)
        places += [_place(data, home / name) for name in DECLARED if (home / name).is_file()]
        more += [_place(data, home / name) for name in BESIDE if (home / name).is_file()]
    heads = _heads(kept, own) if study is not None else ()
    return StudySources(firsts, tuple(sorted(places)), tuple(sorted(more)), tuple(heads))


def _place(data: DataFolder, path: Path) -> str:
    return path.relative_to(data.root).as_posix()


def _of_run(data: DataFolder, name: str) -> list[str]:
    ledger = data.ledger_path(name)
    return [_place(data, path) for path in (ledger, *judgement_files(ledger.parent))]


def _labels(data: DataFolder, runs: Sequence[str]) -> list[str]:
    """Draws about any of these runs that can be read, with everybody's labels."""
    found: list[str] = []
    for path in list_draws(data):
        with suppress(StoreError):
            draw = read_draw(path)
            if not set(draw.header.runs).isdisjoint(runs):
                people = [labels_path(data, draw.header.name, by) for by in list_labellers(path)]
                found += [_place(data, one) for one in (path, *people)]
    return found


def _canaries(data: DataFolder, runs: Sequence[RunStarted]) -> list[str]:
    """Logs of the sites that were watched; the playground, which may look like one, has none."""
    sites = {first.platform for first in runs if first.config.get("site") is None}
    paths = [data.canary_path(site) for site in sorted(sites)]
    return [_place(data, path) for path in paths if path.is_file()]


def _heads(kept: Mapping[str, RunStarted], own: Sequence[str]) -> list[RunStarted]:
    """Earlier runs of others that used an account of these runs."""
    first_use: dict[tuple[str, str], datetime] = {}
    for run in (kept[name] for name in own):
        use = run.platform, run.account
        first_use[use] = min(run.at, first_use.get(use, run.at))
    others = (first for name, first in kept.items() if name not in own)
    return [
        first
        for first in others
        if first.at <= first_use.get((first.platform, first.account), _NEVER)
    ]
