"""Times what is kept at size: index, searches, statistics, checks, forgetting, exports."""

from __future__ import annotations

import resource
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from time import perf_counter, process_time

import numpy as np
from PIL import Image

from store.bench.collection import Mixture, Tell, jpegs, make, sources
from store.dataset.export import export
from store.dataset.rows import RowChoice
from store.index.build import BATCH, Progress, update
from store.index.entries import Filters
from store.index.search import Index
from store.maintenance import stats
from store.maintenance.verify import verify
from store.privacy.forget import forget
from store.privacy.forget_plan import Request
from store.runs.data_folder import DataFolder
from store.untrusted.size_limits import decode_picture

_QUERIES = 200
_OPENINGS = 20
_K = 5
_MIB = 1 << 20
FILTERS = {
    "none": Filters(),
    "platform": Filters(platform="tiktok"),
    "persona": Filters(persona="p03"),
    "answer": Filters(answer="yes"),
    "persona and answer": Filters(persona="p03", answer="missing"),
}


@dataclass
class Figures:
    """What was measured."""

    frames: int
    files: int = 0
    stages: dict[str, tuple[float, float]] = field(default_factory=dict)
    """Seconds of wall time, and of processor time in this process."""
    searches_ms: dict[str, tuple[float, float]] = field(default_factory=dict)
    """Median and 95th percentile, by filter; the index is held open but for the last."""
    recall_at_5: float = 0.0
    """Share of hits as near as the five best of an exact search."""
    memory_mib: dict[str, int] = field(default_factory=dict)
    """Most that this process, and the largest of its children, held."""
    disk_mib: dict[str, float] = field(default_factory=dict)
    embedded_per_s: dict[str, float] = field(default_factory=dict)
    """Pictures a second, by encoder, measured on a sample."""

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        wall, busy = perf_counter(), process_time()
        yield
        self.stages[name] = (perf_counter() - wall, process_time() - busy)

    def lines(self) -> list[str]:
        told = [f"{self.frames} screenshots, {self.files} distinct files"]
        told += [f"  {'':<34}    wall  processor"]
        told += [
            f"  {name:<34} {wall:7.1f} s {busy:7.1f} s"
            for name, (wall, busy) in self.stages.items()
        ]
        told += [f"  {'':<34}  median     95 %"]
        told += [
            f"  {f'search, {name}':<34} {middle:6.1f} ms {high:6.1f} ms"
            for name, (middle, high) in self.searches_ms.items()
        ]
        told += [f"  recall at {_K}: {self.recall_at_5:.4f}"]
        told += [f"  memory, {name}: {mib} MiB" for name, mib in self.memory_mib.items()]
        told += [f"  disk, {kind}: {mib:.1f} MiB" for kind, mib in self.disk_mib.items()]
        told += [
            f"  {encoder} embeds {rate:.1f} pictures a second"
            for encoder, rate in self.embedded_per_s.items()
        ]
        return told


def measure(folder: Path, frames: int, pictures: Path | None, sample: int, tell: Tell) -> Figures:
    """Make a collection of ``frames`` screenshots, and time what is done with it.

    One that was made in the folder before is taken as it is. ``pictures`` is a folder to cut from;
    ``sample`` pictures are embedded with the real encoder.
    """
    data = DataFolder(folder / "data")
    found = Figures(frames)
    originals = sources(pictures)
    if not data.ledgers():
        with found.stage("making the collection"):
            make(data, frames, originals, tell)
    _index(data, found, tell)
    _reading(data, found, folder, tell)
    with found.stage("index deleted and made anew"):
        shutil.rmtree(data.index_dir)
        update(data, Mixture(), progress=_of("indexing anew", tell))
    found.memory_mib |= _memory()
    if sample:
        _embed(found, originals, sample)
    return found


def _of(what: str, tell: Tell) -> Progress:
    return lambda done, total: tell(what, done, total)


def _index(data: DataFolder, found: Figures, tell: Tell) -> None:
    encoder = Mixture()
    with found.stage("index: read, decode, embed, put in"):
        update(data, encoder, progress=_of("indexing", tell))
    vectors = encoder.texts([f"query {number}" for number in range(_QUERIES)])
    with Index.open(data, encoder) as index:
        with index.hold():
            for name, where in FILTERS.items():
                times = []
                for number, vector in enumerate(vectors, 1):
                    times.append(_search_ms(index, vector, where))
                    tell(f"searching, {name}", number, _QUERIES)
                found.searches_ms[name] = _spread(times)
            found.recall_at_5 = _recall(index, vectors)
        times = [_search_ms(index, vector, Filters()) for vector in vectors[:_OPENINGS]]
        found.searches_ms["none, index opened for each"] = _spread(times)
    found.memory_mib["after searching"] = _memory()["in all"]


def _search_ms(index: Index, vector: np.typing.NDArray[np.float32], where: Filters) -> float:
    started = perf_counter()
    index.search(vector, _K, where)
    return 1000 * (perf_counter() - started)


def _spread(times: list[float]) -> tuple[float, float]:
    return float(np.median(times)), float(np.percentile(times, 95))


def _recall(index: Index, vectors: np.typing.NDArray[np.float32]) -> float:
    _, every = index.sample(most=index.count())
    shares = []
    for vector in vectors:
        fifth = np.sort(every @ vector)[-_K:][0]
        hits = index.search(vector, _K, duplicates=True)
        shares.append(np.mean([hit.similarity >= fifth - 1e-5 for hit in hits]))
    return float(np.mean(shares))


def _reading(data: DataFolder, found: Figures, folder: Path, tell: Tell) -> None:
    now = datetime.now(UTC)
    with found.stage("stats --quick"):
        told = stats.stats(data, now, quick=True)
    found.files = told.unique.exact
    found.disk_mib = {kind: size / _MIB for kind, size in told.disk.used.items() if size}
    with found.stage("stats"):
        stats.stats(data, now, _of("comparing", tell))
    with found.stage("verify"):
        verify(data, _of("verifying", tell))
    with found.stage("export (parquet)"):
        shutil.rmtree(folder / "exported", ignore_errors=True)
        export(data, folder / "exported", "parquet", RowChoice(), _of("exporting", tell))
    exported = sum(path.stat().st_size for path in (folder / "exported").rglob("*.*"))
    found.disk_mib["export"] = exported / _MIB
    shutil.rmtree(folder / "exported")  # forgetting deletes nothing outside the data folder
    with found.stage("forget --video"):
        forget(data, Request(asked="video", value="v0", at=now))


def _embed(found: Figures, originals: list[Image.Image], sample: int) -> None:
    from store import encoders

    rng = np.random.default_rng(2)
    pictures = [decode_picture(jpeg) for jpeg in islice(jpegs(originals, rng), sample)]
    encoder = encoders.load("conse")
    encoder.images(pictures[:1])
    with found.stage(f"{encoder.id} embeds {sample}"):
        for start in range(0, sample, BATCH):
            encoder.images(pictures[start : start + BATCH])
    found.embedded_per_s[encoder.id] = sample / found.stages[f"{encoder.id} embeds {sample}"][0]


def _memory() -> dict[str, int]:
    unit = _MIB if sys.platform == "darwin" else 1024
    most = {"in all": resource.RUSAGE_SELF, "largest child": resource.RUSAGE_CHILDREN}
    return {name: resource.getrusage(who).ru_maxrss // unit for name, who in most.items()}
