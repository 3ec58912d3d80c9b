"""What can go wrong with what is kept, drawn once.

::

    StoreError                 exit code 2: one sentence that ends in what to type
    ├─ DamageFound             1: what is kept is not what was written
    │  ├─ DamagedLedger(path, line)   a line before the last one does not parse
    │  └─ DamagedFrame(path)          bytes that do not match their name
    ├─ LedgerFault             a run is not there, or not to be read or written now
    │  ├─ NothingKept(path)           the data folder holds no run yet
    │  ├─ RunNotFound(run_id)         no such run, with the nearest ones
    │  ├─ RunLocked(run_id, holder)   another process writes this run
    │  ├─ NewerSchema(path)           written by a later version of feedsway
    │  └─ RenamedDraw(path, name)     a draw in a folder of another name (``runs.labels``)
    ├─ PathRefused             a name or a path leads out of its folder
    │  ├─ BadName(text)
    │  └─ OutsideFolder(path, folder)
    ├─ FolderFault             the data folder itself
    │  ├─ DataUrlRefused(url)         a store elsewhere that cannot hold it
    │  ├─ DataUnreadable(path)        a file in it cannot be read
    │  └─ DataUnwritable(path)        it cannot be written, or the disk is full
    ├─ EncoderFault
    │  ├─ UnknownEncoder(name)        no such encoder
    │  └─ EncoderUnavailable(name)    its weights cannot be had here
    ├─ IndexFault              the index, which is a cache
    │  ├─ IndexMissing(where)         there is none yet
    │  ├─ IndexEmpty(encoder)         it holds nothing yet
    │  ├─ IndexMismatch               it was made with another encoder
    │  ├─ IndexLocked(holder)         another process writes it
    │  ├─ IndexDamaged(path)          it cannot be opened; it can be rebuilt
    │  └─ IndexUnreachable(url)       no Chroma server answers there
    ├─ ForgetRefused           a request to forget is not carried out
    │  ├─ NothingToForget(asked)      nothing that is kept fits it
    │  ├─ CopiesRemain(paths)         exports or trainings hold what is to go
    │  ├─ CopiesElsewhere(paths)      so does something outside the data folder
    │  ├─ ForgettingPending           an earlier request was cut off
    │  ├─ DamagedRequest(path)        that request cannot be read (``privacy.forget``)
    │  └─ NoDonation(run_id)          a run of ours (``privacy.forget_donation``)
    ├─ ExportRefused           an export is not made, or something is not brought in
    │  ├─ BadExport(path)             a folder that is no export, or no place for one
    │  ├─ FolderInUse(path)           other files lie there
    │  ├─ NothingToExport             nothing fits the filters
    │  ├─ LeakingExport(place)        1: it names somebody after all
    │  ├─ BadCaptions(path, line)     a CSV that does not describe the pictures
    │  ├─ HistoryDiffers, BadBundle   another of its name (``dataset.watch_history``, ``bundle``)
    │  └─ ExcelUnavailable, TooLongForExcel  no package, too many rows (``dataset.step_tables``)
    ├─ BackupFault
    │  ├─ BadBackup(path)             a file that is no whole backup, or no place for one
    │  ├─ NoPlaceToRestore(path)      there is something in the data folder already
    │  ├─ MergeRefused(path, problem) a folder that is not united with others now
    │  ├─ UnknownGroup(name)          this machine has no such group of users
    │  └─ ProfileInUse(account)       a browser writes the profile that is to be backed up
    ├─ PlugInFault             somebody else's package: broken, or its name is taken (``plug_ins``)
    └─ BadLadder(path)         a record of a training makes no sense (``results.trainings``)
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path


class StoreError(Exception):
    """Root of everything that the store raises on purpose."""


class DamageFound(StoreError):
    """What is kept is not what was written."""


class DamagedLedger(DamageFound):
    """A line before the last one does not parse, so the file was changed by something else."""

    def __init__(self, path: Path, line: int, problem: str) -> None:
        self.path = path
        self.line = line
        super().__init__(f"{path}:{line} is damaged: {problem} Type: python -m store verify")


class DamagedFrame(DamageFound):
    """A frame's bytes do not match its name."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"{path} does not hold what its name says. Type: python -m store verify")


class LedgerFault(StoreError):
    """A run is not there, or not to be read or written now."""


class NothingKept(LedgerFault):
    """The data folder holds no run yet."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"There is no run in {path} yet. Type: python -m agent run --persona p12")


class RunNotFound(LedgerFault):
    """No run has this id."""

    def __init__(self, run_id: str, nearest: list[str]) -> None:
        hint = f" Nearest: {', '.join(nearest)}." if nearest else ""
        super().__init__(f"There is no run {run_id!r}.{hint} Type: python -m store runs")


class RunLocked(LedgerFault):
    """Another process writes this run's ledger."""

    def __init__(self, run_id: str, holder: str) -> None:
        super().__init__(
            f"Run {run_id} is being written by {holder}. "
            "Wait for it or end it, then look. Type: python -m store runs"
        )


class NewerSchema(LedgerFault):
    """A ledger written by a later version of feedsway than this one."""

    def __init__(self, path: Path, schema: int, known: int) -> None:
        super().__init__(
            f"{path} has schema {schema}, and this feedsway knows up to {known}. "
            "Type: pip install --upgrade feedsway"
        )


class PathRefused(StoreError):
    """A name or a path leads out of its folder."""


class BadName(PathRefused):
    """A run id, a hash, or a name of a study or an account that could lead out of a folder."""

    def __init__(self, text: str) -> None:
        super().__init__(
            f"{text[:80]!a} could lead out of its folder, and is no name or hash of anything "
            "that is kept. Type: python -m store runs"
        )


class OutsideFolder(PathRefused):
    """A path that leads out of its folder, by a link or by its name."""

    def __init__(self, path: Path, folder: Path) -> None:
        super().__init__(
            f"{path} leads out of {folder}, and so is neither opened nor removed. "
            f"Look at it. Type: ls -ld {shlex.quote(str(path))}"
        )


class FolderFault(StoreError):
    """The data folder cannot be used."""


class DataUrlRefused(FolderFault):
    """A store elsewhere cannot hold the data folder."""

    def __init__(self, url: str, problem: str) -> None:
        super().__init__(f"{url} {problem}. Type: --data s3://BUCKET/FOLDER, or --data FOLDER")


class DataUnreadable(FolderFault):
    """A file of the data folder cannot be read."""

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(
            f"{path} cannot be read ({problem}). Mend its rights, or type: --data FOLDER"
        )


class DataUnwritable(FolderFault):
    """The data folder cannot be written."""

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(
            f"{path} cannot be written ({problem}). Make room or rights, or type: --data FOLDER"
        )


class EncoderFault(StoreError):
    """An encoder cannot be used."""


class UnknownEncoder(EncoderFault):
    """No encoder has this name."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"There is no encoder {name!r}. "
            "Type: --encoder conse, or --encoder open_clip:ViT-B-32/openai"
        )


class EncoderUnavailable(EncoderFault):
    """The encoder exists, and its weights cannot be had here."""

    def __init__(self, name: str, problem: str, fix: str) -> None:
        self.name = name
        super().__init__(f"The encoder {name!r} cannot be loaded: {problem}. {fix}")


class IndexFault(StoreError):
    """The index cannot be used. It is a cache: it can be made anew."""


class IndexMissing(IndexFault):
    """There is no index yet. It is made from ledgers and frames."""

    def __init__(self, where: str, encoder: str | None = None) -> None:
        option = f" --encoder {encoder}" if encoder else ""
        super().__init__(f"There is no index at {where} yet. Type: python -m store index{option}")


class IndexEmpty(IndexFault):
    """The index holds nothing yet, so that nothing can be found in it."""

    def __init__(self, encoder: str) -> None:
        super().__init__(
            f"The index holds no frame yet, whatever the runs hold. "
            f"Type: python -m store index --encoder {encoder}"
        )


class IndexMismatch(IndexFault):
    """The index was made with another encoder."""


class IndexLocked(IndexFault):
    """Another process writes the embedded index."""

    def __init__(self, holder: str) -> None:
        super().__init__(
            f"The index is being written by {holder}. Wait for it, then type: python -m store index"
        )


class IndexDamaged(IndexFault):
    """The index cannot be opened. It is a cache: nothing is lost."""

    def __init__(self, path: Path, problem: str) -> None:
        self.problem = problem
        super().__init__(
            f"The index at {path} cannot be opened ({problem}). "
            "Nothing is lost. Type: python -m store index --rebuild"
        )


class IndexUnreachable(IndexFault):
    """No Chroma server answers at this address."""

    def __init__(self, url: str, problem: str) -> None:
        super().__init__(
            f"No Chroma server answers at {url} ({problem}). "
            "Start one (chroma run --path FOLDER), or leave out --index and type: "
            "python -m store search TEXT"
        )


class ForgetRefused(StoreError):
    """A request to forget is not carried out."""


class NothingToForget(ForgetRefused):
    """Nothing that is kept fits the request."""

    def __init__(self, asked: str, value: str, unread: Sequence[str] = ()) -> None:
        left = f" What cannot be read may tell of it: {' '.join(unread)}" if unread else ""
        told = left or " Type: python -m store show latest"
        super().__init__(f"Nothing that is kept fits --{asked} {value}.{told}")


class CopiesRemain(ForgetRefused):
    """Exports or trainings hold what is to be forgotten, and nobody said what becomes of them."""

    def __init__(self, paths: list[Path]) -> None:
        self.paths = paths
        super().__init__(
            f"Exports or trainings hold what is to be forgotten: {', '.join(map(str, paths))}. "
            "Nothing was forgotten yet. To delete them with the rest, type the same command with: "
            "--remove-copies"
        )


class CopiesElsewhere(ForgetRefused):
    """What was made of it lies outside the data folder, where nothing of ours is deleted."""

    def __init__(self, paths: list[Path]) -> None:
        self.paths = paths
        super().__init__(
            "Outside the data folder lies what was made of it. Nothing was forgotten yet. Look at "
            "it, then type the line below, and the same command again.\n"
            f"rm -r {' '.join(shlex.quote(str(path)) for path in paths)}"
        )


class ForgettingPending(ForgetRefused):
    """An earlier request was cut off, and comes first."""

    def __init__(self) -> None:
        super().__init__(
            "An earlier request to forget was cut off. Type: python -m store forget --resume"
        )


class ExportRefused(StoreError):
    """An export is not made, or something is not brought in."""


class BadExport(ExportRefused):
    """A folder that is no finished export, or no place for a new one."""

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(f"{path} {problem}. Type: python -m store export NEW_FOLDER")


class FolderInUse(ExportRefused):
    """A folder for something made of frames holds other things, which would go with it."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"{path} holds other files, and what is made there can only be forgotten whole. "
            "Type: the same with a new folder"
        )


class NothingToExport(ExportRefused):
    """Nothing fits the filters."""

    def __init__(self) -> None:
        super().__init__("Nothing that is kept fits these filters. Type: python -m store stats")


class LeakingExport(ExportRefused):
    """An export names a creator or a video after all, and so is never finished."""

    def __init__(self, place: str) -> None:
        super().__init__(
            f"The export names a known creator or video in {place}: nothing of it is left. "
            "If names may be told, type: python -m store export NEW_FOLDER --keep-handles"
        )


class BadCaptions(ExportRefused):
    """A CSV that does not describe the pictures beside it."""

    def __init__(self, path: Path, line: int, problem: str) -> None:
        super().__init__(
            f"{path}:{line}: {problem}. Mend it, then type: "
            "python -m store import FOLDER --captions CSV"
        )


class BackupFault(StoreError):
    """A backup is not made or not taken back."""


class BadBackup(BackupFault):
    """A file that is no whole backup, or no place for one."""

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(f"{path} {problem}. Type: python -m store backup NEW_FILE.tar")


class NoPlaceToRestore(BackupFault):
    """There is something in the data folder already, and nothing is ever mixed into it."""

    def __init__(self, path: Path, backup: Path, problem: str = "is not empty") -> None:
        super().__init__(
            f"{path} {problem}. Type: python -m store restore {backup} --data NEW_FOLDER"
        )


class MergeRefused(BackupFault):
    """A folder that is not united with others now."""

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(
            f"{path} {problem}. Nothing more was merged. Mend that or wait, then type the same "
            "again: python -m store merge FOLDER"
        )


class UnknownGroup(BackupFault):
    """This machine has no such group of users."""

    def __init__(self, name: str) -> None:
        super().__init__(f"There is no group {name!r} on this machine. Type: getent group")


class ProfileInUse(BackupFault):
    """A browser writes the profile that is to be backed up."""

    def __init__(self, account: str, holder: str) -> None:
        super().__init__(
            f"The profile of {account} is in use by {holder}. Pause what uses it, then type: "
            "python -m store backup FILE.tar --with-profiles"
        )


EXIT_CODES: dict[type[Exception], int] = {StoreError: 2, DamageFound: 1, LeakingExport: 1}
