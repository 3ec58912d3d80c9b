"""A data folder as notebooks and scripts read it: ``store.open``."""

from __future__ import annotations

import difflib
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import click

from store.api.run_reader import RunReader
from store.api.table_formats import TableFormat, check_format, make_table
from store.cli.options import default_data, mount_folder
from store.errors import NothingKept, StoreError
from store.frames.frame_store import FrameStore
from store.jsonl.paths import is_name
from store.runs import ledger
from store.runs.data_folder import DataFolder
from store.runs.ledger import Ledger
from store.runs.rejudgements import judgement_files, read_judgements
from store.runs.step_columns import REJUDGEMENT_COLUMNS, STEP_COLUMNS, rejudgement_rows, step_rows
from store.untrusted.size_limits import decode_picture

if TYPE_CHECKING:
    from PIL.Image import Image

    from store.index.entries import Filters, Hit

Runs = Sequence["RunReader | str"]


class StudyNotFound(StoreError):
    """No run of the data folder belongs to a study of this name."""

    def __init__(self, name: str, known: Sequence[str]) -> None:
        near = difflib.get_close_matches(name, known, 3, 0.4) or known[:5]
        hint = f" There are: {', '.join(near)}." if near else ""
        super().__init__(
            f"There is no run of a study {name[:80]!r}.{hint} Type: python -m agent study --help"
        )


class DataReader:
    """What one data folder holds. Made by ``store.open``; nothing is written through it.

    A folder that a URL stands for is fetched when it is opened. Close it, or use ``with``.
    """

    def __init__(self, folder: DataFolder, release: Callable[[], None]) -> None:
        self.folder = folder
        self._release = release

    @classmethod
    def open(cls, data: str | Path | None = None) -> Self:
        """See ``store.open``."""
        given: Path | str = default_data() if data is None else data
        if isinstance(given, str) and "://" not in given:
            given = Path(given).expanduser()
        try:
            root, release = mount_folder(given)
        except click.UsageError as error:  # a variable or a folder that a command refuses, too
            raise StoreError(error.message) from None
        return cls(DataFolder(root), release)

    def __repr__(self) -> str:
        return f"store.open({str(self.folder.root)!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Leave a store elsewhere; of a folder on this machine nothing is open."""
        release, self._release = self._release, _nothing
        release()

    def runs(self, study: str | None = None) -> list[RunReader]:
        """Return its runs in words, by start; damaged ones come first.

        With ``study`` those of one, and ``StudyNotFound`` where it has none.
        """
        found = [RunReader.of(run) for run in self.folder.runs()]
        if study is None:
            return found
        own = [run for run in found if run.study == study]
        if not own:
            raise StudyNotFound(study, self.studies())
        return own

    def run(self, name: str = "latest") -> RunReader:
        """Return a run by its id, the beginning of it, or ``latest`` (the one started last).

        Raises ``RunNotFound``, with the nearest ones, and ``NothingKept`` in an empty folder.
        """
        path = self._find(name)
        found = ledger.summarise(path)
        if found is None:
            raise NothingKept(path)
        return RunReader.of(found)

    def studies(self) -> list[str]:
        """Return the names of its studies: those without a run, then by their latest run."""
        folders = sorted(path.parent.name for path in self.folder.studies_dir.glob("*/study.toml"))
        names = dict.fromkeys(name for name in folders if is_name(name))
        for run in self.runs():
            if run.study is not None:
                names.pop(run.study, None)
                names[run.study] = None
        return list(names)

    def steps(
        self,
        study: str | None = None,
        runs: Runs | None = None,
        format: TableFormat = "pandas",  # noqa: A002 - as the word is typed
    ) -> Any:
        """Return the steps of all runs as one table, one row for each video that was shown.

        Shape ``(steps, columns)``; ``docs/notebooks.md`` has the columns with types and units. All
        rows are there, also of what does not count: ``analysis.open_study(data).steps()`` has only
        the runs that a study's report takes, and says of each row what becomes of it.

        Parameters
        ----------
        study, runs
            Only the runs of a study, or these runs; not both.
        format
            ``pandas``, ``polars``, or ``arrow``.

        Raises
        ------
        NothingKept, StudyNotFound, RunNotFound
            There is nothing to read.
        DamagedLedger
            A run that was asked for is damaged. Where all are read, it is left out with a warning.
        FormatUnavailable
            The format needs a package that is not installed.

        Examples
        --------
        >>> import store
        >>> steps = store.open("data").steps()
        >>> steps[["persona", "phase", "answer", "dwell_s"]].shape
        (1245, 4)
        """
        check_format(format)
        return make_table(STEP_COLUMNS, step_rows(self._read(study, runs)), format)

    def rejudgements(
        self,
        study: str | None = None,
        runs: Runs | None = None,
        format: TableFormat = "pandas",  # noqa: A002 - as the word is typed
    ) -> Any:
        """Return what judges said later about stored frames; parameters and errors as ``steps``."""
        check_format(format)
        files = (
            read_judgements(path)
            for read in self._read(study, runs)
            for path in judgement_files(read.path.parent)
        )
        return make_table(REJUDGEMENT_COLUMNS, rejudgement_rows(files), format)

    def frame(self, sha256: str) -> Image:
        """Return a frame as an RGB picture (``PIL.Image``).

        Raises ``BadName``, ``DataUnreadable`` and ``DamagedFrame``.
        """
        return decode_picture(FrameStore(self.folder.frames_dir).read(sha256))

    def search(
        self, text: str, k: int = 5, where: Filters | None = None, encoder: str = "conse"
    ) -> list[Hit]:
        """Return the ``k`` frames that fit a text best, as ``python -m store search`` does.

        The encoder is loaded once. The index is opened for each call, so that others can use it.
        Raises ``IndexMissing``, ``IndexEmpty``, and whatever the encoder raises.

        Examples
        --------
        >>> import store
        >>> store.open("data").search("a dog", k=1)[0].entry.video  # doctest: +SKIP
        'pgvjy9z29'
        """
        from store import encoders
        from store.errors import IndexEmpty
        from store.index.search import Index

        loaded = encoders.load(encoder)
        with Index.open(self.folder, loaded) as index:
            if index.count() == 0:
                raise IndexEmpty(encoder)
            return index.search(loaded.texts([text])[0], k, where)

    def _read(self, study: str | None, runs: Runs | None) -> Iterator[Ledger]:
        """Read ledgers; a damaged one is left out with a warning only where all are meant."""
        if study is not None and runs is not None:
            raise StoreError("Give a study or runs, one of them. Type: data.steps(study=NAME)")
        if runs is not None:
            names = [run.path if isinstance(run, RunReader) else self._find(run) for run in runs]
            yield from map(ledger.read, names)
        elif study is not None:
            yield from (ledger.read(run.path) for run in self.runs(study))
        else:
            yield from self._read_all()

    def _read_all(self) -> Iterator[Ledger]:
        found = self.folder.runs()
        if not found:
            raise NothingKept(self.folder.root)
        for run in found:
            problems: list[str] = []
            yield from ledger.read_each([run.path], problems)
            for problem in problems:
                warnings.warn(f"A run is left out. {problem}", UserWarning, stacklevel=2)

    def _find(self, name: str) -> Path:
        if not self.folder.ledgers():
            raise NothingKept(self.folder.root)
        return self.folder.find_run(name)


def _nothing() -> None:
    """Release nothing: a folder on this machine is not held."""
