"""The data folder: where each thing lies, which runs are there, and for whose eyes."""

from __future__ import annotations

import difflib
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from store.errors import DataUnreadable, DataUnwritable, OutsideFolder, RunNotFound, UnknownGroup
from store.jsonl.atomic import PRIVATE_FILE, PRIVATE_FOLDER, SHARED_FILE, SHARED_FOLDER, write_whole
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
        return self.root / "runs"

    @property
    def frames_dir(self) -> Path:
        return self.root / "frames"

    @property
    def index_dir(self) -> Path:
        """Embedded Chroma folders, one an encoder; a cache."""
        return self.root / "index"

    @property
    def studies_dir(self) -> Path:
        return self.root / "studies"

    @property
    def spectra_dir(self) -> Path:
        """Value spectra: what was retrieved, and the judges' answers."""
        return self.root / "spectra"

    @property
    def labels_dir(self) -> Path:
        """Draws of questions that people answer, and their labels: one folder a draw."""
        return self.root / "labels"

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
    def compact_dir(self) -> Path:
        """Rows of many ledgers at once, for the analysis; a cache, which forgetting deletes."""
        return self.root / "compact"

    @property
    def profiles_dir(self) -> Path:
        return self.root / "profiles"

    @property
    def daemon_dir(self) -> Path:
        """The daemon's journal, lock, address and the logs of its children."""
        return self.root / "daemon"

    @property
    def explorer_dir(self) -> Path:
        """The lock and the address of the explorer that looks into this folder."""
        return self.daemon_dir / "explorer"

    @property
    def pseudonym_key(self) -> Path:
        """Key from which exports make pseudonyms; never exported."""
        return self.root / "pseudonyms.key"

    @property
    def forgetting(self) -> Path:
        """A request to forget that is not finished yet."""
        return self.root / "forgetting.json"

    def canary_path(self, platform: str) -> Path:
        """Dated results of looking whether a site is as its adapter knows it."""
        folder = self.root / "canary"
        return path_within(folder, folder / f"{check_name(platform)}.jsonl")

    def run_dir(self, run_id: str) -> Path:
        return path_within(self.runs_dir, self.runs_dir / check_name(run_id))

    def study_dir(self, name: str) -> Path:
        return path_within(self.studies_dir, self.studies_dir / check_name(name))

    def ledger_path(self, run_id: str) -> Path:
        return self.run_dir(run_id) / LEDGER

    def remove(self, path: Path) -> None:
        """Delete a file or folder of the data folder, if it is there.

        A folder directly below the root may be a link to another disk; nothing deeper may. Raises
        ``OutsideFolder`` before anything is deleted, and ``OSError``.
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
        return ledger.scan(self.ledgers())

    def find_run(self, text: str) -> Path:
        """Ledger of the run that a person means, or ``RunNotFound`` with the nearest.

        ``text`` is a run id, the beginning of just one, ``latest`` (by start), or the path of a
        run's folder or ledger.
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
        """Make the folder; raises ``DataUnwritable``, also with less than ``need_mib`` MiB free."""
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
        folder = self.root.absolute()
        while not folder.exists():
            folder = folder.parent
        return shutil.disk_usage(folder).free


def protect(data: DataFolder, group: str | None = None) -> int:
    """Set the modes of everything that is there; returns how many were others.

    What is made later follows its folder. Browser profiles, the pseudonyms' key and the page's
    token are their owner's in any case. Links are left as they are, and so is what they lead to.
    Raises ``UnknownGroup``, and ``DataUnwritable`` where something is somebody else's.
    """
    changed = 0
    try:
        number = _group_id(group) if group is not None else None
        for path in _everything(data.root):
            shared = number is not None and not _is_secret(path.relative_to(data.root).parts)
            changed += _set_mode(path, number if shared else None)
    except OSError as error:
        raise DataUnwritable(data.root, error.strerror or str(error)) from None
    return changed


def _group_id(name: str) -> int:
    import grp  # not on Windows, which has no such groups

    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        raise UnknownGroup(name) from None


def _everything(root: Path) -> Iterator[Path]:
    yield root
    for top, folders, names in os.walk(root):
        for name in (*folders, *names):
            path = Path(top, name)
            if not path.is_symlink():
                yield path


def _is_secret(parts: tuple[str, ...]) -> bool:
    return parts[:1] in (("profiles",), ("pseudonyms.key",)) or (
        parts[:1] == ("daemon",) and parts[-1] in ("address.json", "open.html")
    )


def _set_mode(path: Path, group: int | None) -> bool:
    folder = path.is_dir()
    mode = PRIVATE_FOLDER if folder else PRIVATE_FILE
    if group is not None:
        mode = SHARED_FOLDER if folder else SHARED_FILE
    found = path.stat()
    if group is not None and found.st_gid != group:
        os.chown(path, -1, group)
    elif found.st_mode & 0o7777 == mode:
        return False
    path.chmod(mode)  # after the group was changed, which clears setgid
    return True
