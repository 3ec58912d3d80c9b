"""What one explorer works with: a data folder, read into memory, and what was asked of it last."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from agent.explorer.address_numbers import read_whole
from agent.explorer.exposure_catalogue import CatalogueReader, ExposureCatalogue, Ints, read_stamp
from agent.explorer.frame_query import FrameQuery, FrameSelection, rank, select
from agent.explorer.pictures import SmallPictures
from agent.explorer.warm_search import Resemblance, WarmSearch
from store.api.data_reader import DataReader
from store.errors import StoreError
from store.frames.frame_store import FrameStore
from store.runs import ledger
from store.runs.ledger import Ledger

_SELECTIONS = 32
_FRESH_S = 1.0
"""The data folder is looked at again after so long, when something is asked for."""
Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True, eq=False)
class FrameResult:
    """Rows in the order of the page, and how like each is to what was looked for, if anything."""

    catalogue: ExposureCatalogue
    selection: FrameSelection
    rows: Ints
    resemblance: Resemblance | None = None
    problem: str = ""
    """Why nothing was looked for."""

    @property
    def fitting(self) -> int:
        """How many rows stand out as what was looked for; they come first."""
        if self.resemblance is None:
            return len(self.rows)
        return int(np.sum(self.resemblance.similarities[self.rows] >= self.resemblance.fits_from))


class Workbench:
    """Holds everything that pages are made of; several threads may ask it at once."""

    def __init__(self, reader: DataReader, encoder: str = "conse") -> None:
        self.reader, self.data = reader, reader.folder
        self.frames = FrameStore(self.data.frames_dir)
        self.pictures = SmallPictures(self.frames)
        self.search = WarmSearch(self.data, encoder)
        self.ledgers = CatalogueReader(self.data)
        self._results: OrderedDict[tuple[int, Pairs], FrameResult] = OrderedDict()
        self._lock = threading.Lock()
        self._last: tuple[Path, tuple[int, int], Ledger] | None = None
        self._looked = -_FRESH_S
        self._reading: threading.Thread | None = None
        self.problem = ""
        """Why the data folder cannot be read, in a sentence."""

    def read_ledger(self, path: Path) -> Ledger:
        """Read a ledger, or return it as it was read last if it has not changed since."""
        stamp = read_stamp(path)
        with self._lock:
            last = self._last
        if last is None or last[:2] != (path, stamp):
            last = path, stamp, ledger.read(path)
            with self._lock:
                self._last = last
        return last[2]

    def begin(self) -> None:
        """Read the data folder in the background, unless that is under way or was just done."""
        with self._lock:
            if self._reading is not None and self._reading.is_alive():
                return
            if time.monotonic() - self._looked < _FRESH_S:
                return
            self._reading = threading.Thread(target=self._read, daemon=True)
            self._reading.start()

    def _read(self) -> None:
        try:
            shown = self.ledgers.refresh()
            self.problem = ""
            _ = shown.looks, shown.captions, shown.places  # so that nobody waits for them later
        except StoreError as error:
            self.problem = str(error)
        finally:
            self._looked = time.monotonic()

    @property
    def catalogue(self) -> ExposureCatalogue:
        """What is known now, at once; what is new is read in the background."""
        self.begin()
        return self.ledgers.shown

    def find(self, pairs: Iterable[tuple[str, str]]) -> FrameResult:
        """Return the rows that the pairs of an address ask for."""
        catalogue = self.catalogue
        asked = tuple(sorted(pairs))
        key = id(catalogue), (*asked, ("vectors", str(self.search.count)))
        with self._lock:
            known = self._results.get(key)
        if known is not None and known.catalogue is catalogue:
            return known
        found = self._find(catalogue, asked)
        with self._lock:
            if found.catalogue is not self.ledgers.shown:
                return found  # the folder has gone on: a result holds all of its catalogue
            for old in [
                one for one, kept in self._results.items() if kept.catalogue is not catalogue
            ]:
                del self._results[old]
            self._results[key] = found
            while len(self._results) > _SELECTIONS:
                self._results.popitem(last=False)
        return found

    def _find(self, catalogue: ExposureCatalogue, asked: Pairs) -> FrameResult:
        selection = select(catalogue, FrameQuery.read(asked, catalogue.facets))
        try:
            resemblance = self._look_for(catalogue, dict(asked))
        except StoreError as error:
            return FrameResult(catalogue, selection, selection.rows, problem=str(error))
        if resemblance is None:
            return FrameResult(catalogue, selection, selection.rows)
        rows = rank(selection.rows, resemblance.similarities)
        return FrameResult(catalogue, selection, rows, resemblance)

    def _look_for(self, catalogue: ExposureCatalogue, asked: dict[str, str]) -> Resemblance | None:
        shows = asked.get("shows", "").strip()
        if not (shows or asked.get("like") or asked.get("picture")):
            return None
        if not self.search.is_warm:
            raise StoreError(self.search.problem or "The search is warming up. One moment.")
        if shows:
            return self.search.find_text(catalogue, shows)
        if name := asked.get("picture"):
            return self.search.find_picture(catalogue, name)
        run, _, position = asked["like"].rpartition("/")
        at = read_whole(position)
        row = -1 if at is None else catalogue.places.get((run, at), -1)
        return self.search.find_frame(catalogue, row)
