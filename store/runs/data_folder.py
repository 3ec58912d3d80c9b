"""The data folder: where each thing lies, and which runs are there.

Refuses to know what the files hold beyond a run's first and last line.
"""

from __future__ import annotations

import difflib
import shutil
from dataclasses import dataclass
from pathlib import Path

from store.errors import DataUnreadable, DataUnwritable, OutsideFolder, RunNotFound
from store.jsonl.atomic import write_whole
from store.jsonl.paths import check_name, is_name, path_within, remove_within
from store.runs import ledger

LEDGER = "ledger.jsonl"
_MEBIBYTE = 1 << 20


@dataclass(frozen=True, slots=True)
class DataFolder:
    """The layout below one root, made as it is needed."""

    root: Path

    @property
    def runs_dir(self) -> Path:
        """One folder a run."""
        return self.root / "runs"

    @property
    def frames_dir(self) -> Path:
        """Frames, addressed by content."""
        return self.root / "frames"

    @property
    def index_dir(self) -> Path:
        """Embedded Chroma folders, one an encoder; a cache."""
        return self.root / "index"

    @property
    def studies_dir(self) -> Path:
        """One folder a study."""
        return self.root / "studies"

    @property
    def spectra_dir(self) -> Path:
        """Value spectra: what was retrieved, and the judges' answers."""
        return self.root / "spectra"

    @property
    def pairs_dir(self) -> Path:
        """Preference pairs, one file a maker."""
        return self.root / "pairs"

    @property
    def probes_dir(self) -> Path:
        """Answers to misalignment probes, one file a model and set of pairs."""
        return self.root / "probes"

    @property
    def payments(self) -> Path:
        """The book of payments for models."""
        return self.root / "payments.jsonl"

    @property
    def derived_dir(self) -> Path:
        """The register of sheets, reports, exports and trainings, wherever they lie."""
        return self.root / "derived"

    @property
    def answers_lock(self) -> Path:
        """Locks of the files that a sitting over many runs writes, a byte each."""
        return self.root / "answers.lock"

    @property
    def replies_dir(self) -> Path:
        """Replies of models, kept so that no question is paid for twice."""
        return self.root / "cache"

    @property
    def profiles_dir(self) -> Path:
        """Browser profiles, by platform and account."""
        return self.root / "profiles"

    @property
    def daemon_dir(self) -> Path:
        """The daemon's journal, lock, address and the logs of its children."""
        return self.root / "daemon"

    @property
    def pseudonym_key(self) -> Path:
        """Key from which exports make pseudonyms; never exported."""
        return self.root / "pseudonyms.key"

    @property
    def forgetting(self) -> Path:
        """A request to forget that is not finished yet."""
        return self.root / "forgetting.json"

    def run_dir(self, run_id: str) -> Path:
        """Folder of a run; raises ``BadName`` and ``OutsideFolder``."""
        return path_within(self.runs_dir, self.runs_dir / check_name(run_id))

    def study_dir(self, name: str) -> Path:
        """Folder of a study; raises ``BadName`` and ``OutsideFolder``."""
        return path_within(self.studies_dir, self.studies_dir / check_name(name))

    def ledger_path(self, run_id: str) -> Path:
        """Ledger of a run."""
        return self.run_dir(run_id) / LEDGER

    def remove(self, path: Path) -> None:
        """Delete a file or folder of the data folder, if it is there.

        A folder directly below the root may be a link to another disk; nothing deeper may.

        Raises
        ------
        OutsideFolder
            It lies elsewhere. Nothing is deleted.
        OSError
            The disk refused.
        """
        root = self.root.absolute()
        top, *deeper = path.absolute().relative_to(root).parts
        remove_within(root / top if deeper else root, path)

    def ledgers(self) -> list[Path]:
        """Every ledger, by run id; without hidden folders, and links that lead elsewhere."""
        return [path for path in self._ledgers() if self._is_own(path)]

    def foreign_ledgers(self) -> list[Path]:
        """Ledgers that a link below the folder of runs leads to, and that are not read."""
        return [path for path in self._ledgers() if not self._is_own(path)]

    def _ledgers(self) -> list[Path]:
        try:
            found = sorted(self.runs_dir.glob(f"*/{LEDGER}"))
        except OSError as error:
            raise DataUnreadable(self.runs_dir, error.strerror or str(error)) from None
        return [path for path in found if is_name(path.parent.name)]

    def _is_own(self, path: Path) -> bool:
        if not path.is_symlink() and not path.parent.is_symlink():
            return True  # as nearly all are, which this looks up in a tenth of the time
        try:
            path_within(self.runs_dir, path)
        except OutsideFolder:
            return False
        return True

    def runs(self) -> list[ledger.RunSummary]:
        """Summaries of all runs, by start."""
        return ledger.scan(self.ledgers())

    def find_run(self, text: str) -> Path:
        """Ledger of the run that a person means.

        Parameters
        ----------
        text
            A run id, the beginning of just one, ``latest`` (by start), or the path of a run's
            folder or ledger.

        Raises
        ------
        RunNotFound
            None fits, or several do; names the nearest.
        """
        known = {path.parent.name: path for path in self.ledgers()}
        if text in known:
            return known[text]
        if text == "latest":
            started = [run for run in self.runs() if run.started is not None]
            if started:
                return started[-1].path
        for path in (Path(text), Path(text) / LEDGER):
            if path.is_file():
                return path
        begun = [run_id for run_id in known if text and run_id.startswith(text)]
        if len(begun) == 1:
            return known[begun[0]]
        raise RunNotFound(text, begun[:5] or difflib.get_close_matches(text, known, 3, 0.4))

    def prepare(self, need_mib: int = 0) -> None:
        """Make the folder and see that it can be written.

        Parameters
        ----------
        need_mib
            Free space to insist on, in MiB.

        Raises
        ------
        DataUnwritable
            It cannot be made or written, or has less room than that.
        """
        trial = self.root / ".trial"
        try:
            write_whole(trial, b"writable", sync=False)
            trial.unlink(missing_ok=True)  # two programs may try at once
        except OSError as error:
            raise DataUnwritable(self.root, error.strerror or str(error)) from None
        free = self.free_bytes() // _MEBIBYTE
        if free < need_mib:
            raise DataUnwritable(self.root, f"{free} MiB free, {need_mib} MiB needed")

    def free_bytes(self) -> int:
        """Free space on the folder's disk, which the folder need not exist for."""
        folder = self.root.absolute()
        while not folder.exists():
            folder = folder.parent
        return shutil.disk_usage(folder).free
