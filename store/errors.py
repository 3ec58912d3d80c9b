"""What can go wrong with what is kept, drawn once.

::

    StoreError
    ├─ NothingKept(path)                2  the data folder holds no run yet
    ├─ RunNotFound(run_id)              2  no such run, with the nearest ones
    ├─ RunLocked(run_id, holder)        2  another process writes this run
    ├─ BadName(text)                    2  a name that could lead out of a folder
    ├─ OutsideFolder(path, folder)      2  a path that leads out of its folder
    ├─ DamagedLedger(path, line)        1  a line before the last one does not parse
    ├─ NewerSchema(path)                2  written by a later version of feedsway
    ├─ DamagedFrame(path)               1  bytes that do not match their name
    ├─ UnknownEncoder(name)             2  no such encoder
    ├─ EncoderUnavailable(name)         2  an encoder whose weights cannot be had here
    ├─ IndexMissing(path)               2  there is no index yet
    ├─ IndexMismatch                    2  the index was made with another encoder
    ├─ IndexLocked(holder)              2  another process writes the index
    ├─ IndexDamaged(path)               2  the index cannot be opened; it can be rebuilt
    ├─ IndexUnreachable(url)            2  no Chroma server answers there
    ├─ NothingToForget(asked, value)    2  nothing that is kept fits the request
    ├─ CopiesElsewhere(paths)           2  what was made of it lies outside the data folder
    ├─ CopiesRemain(paths)              2  exports or trainings hold what is to be forgotten
    ├─ ForgettingPending                2  an earlier request to forget was cut off
    ├─ BadExport(path)                  2  a folder that is no export, or no place for one
    ├─ FolderInUse(path)                2  other files lie where something is to be made
    ├─ LeakingExport(place)             1  an export that names somebody after all
    ├─ BadLadder(path)                  2  a record of a training that makes no sense
    ├─ NothingToExport                  2  no frame fits the filters
    ├─ BadCaptions(path, line)          2  a CSV that does not describe the pictures
    ├─ BadBackup(path)                  2  a file that is no whole backup, or no place for one
    ├─ NoPlaceToRestore(path)           2  there is something in the data folder already
    ├─ UnknownGroup(name)               2  this machine has no such group of users
    ├─ ProfileInUse(path, holder)       2  a browser writes the profile that is to be backed up
    ├─ DataUnreadable(path)             2  a file of the data folder cannot be read
    └─ DataUnwritable(path)             2  the data folder cannot be written, or the disk is full
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path


class StoreError(Exception):
    """Root of everything that the store raises on purpose."""

    exit_code = 1


class NothingKept(StoreError):
    """The data folder holds no run yet."""

    exit_code = 2

    def __init__(self, path: Path) -> None:
        super().__init__(f"There is no run in {path} yet. Type: python -m agent run --persona p12")


class RunNotFound(StoreError):
    """No run has this id."""

    exit_code = 2

    def __init__(self, run_id: str, nearest: list[str]) -> None:
        hint = f" Nearest: {', '.join(nearest)}." if nearest else ""
        super().__init__(f"There is no run {run_id!r}.{hint} Type: python -m store runs")


class RunLocked(StoreError):
    """Another process writes this run's ledger."""

    exit_code = 2

    def __init__(self, run_id: str, holder: str) -> None:
        self.holder = holder
        super().__init__(
            f"Run {run_id} is being written by {holder}. "
            "Wait for it or end it, then look. Type: python -m store runs"
        )


class BadName(StoreError):
    """A run id, a hash, or a name of a study or an account that could lead out of a folder."""

    exit_code = 2

    def __init__(self, text: str) -> None:
        super().__init__(
            f"{text[:80]!a} could lead out of its folder, and is no name or hash of anything "
            "that is kept. Type: python -m store runs"
        )


class OutsideFolder(StoreError):
    """A path that leads out of its folder, by a link or by its name."""

    exit_code = 2

    def __init__(self, path: Path, folder: Path) -> None:
        super().__init__(
            f"{path} leads out of {folder}, and so is neither opened nor removed. "
            f"Look at it. Type: ls -ld {shlex.quote(str(path))}"
        )


class DamagedLedger(StoreError):
    """A line before the last one does not parse, so the file was changed by something else."""

    def __init__(self, path: Path, line: int, problem: str) -> None:
        self.path = path
        self.line = line
        super().__init__(f"{path}:{line} is damaged: {problem} Type: python -m store verify")


class NewerSchema(StoreError):
    """A ledger written by a later version of feedsway than this one."""

    exit_code = 2

    def __init__(self, path: Path, schema: int, known: int) -> None:
        super().__init__(
            f"{path} has schema {schema}, and this feedsway knows up to {known}. "
            "Type: pip install --upgrade feedsway"
        )


class DamagedFrame(StoreError):
    """A frame's bytes do not match its name."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"{path} does not hold what its name says. Type: python -m store verify")


class UnknownEncoder(StoreError):
    """No encoder has this name."""

    exit_code = 2

    def __init__(self, name: str) -> None:
        super().__init__(
            f"There is no encoder {name!r}. "
            "Type: --encoder conse, or --encoder open_clip:ViT-B-32/openai"
        )


class EncoderUnavailable(StoreError):
    """The encoder exists, and its weights cannot be had here."""

    exit_code = 2

    def __init__(self, name: str, problem: str, fix: str) -> None:
        self.name = name
        super().__init__(f"The encoder {name!r} cannot be loaded: {problem}. {fix}")


class IndexMissing(StoreError):
    """There is no index yet. It is made from ledgers and frames."""

    exit_code = 2

    def __init__(self, where: str, encoder: str | None = None) -> None:
        option = f" --encoder {encoder}" if encoder else ""
        super().__init__(f"There is no index at {where} yet. Type: python -m store index{option}")


class IndexEmpty(StoreError):
    """The index holds nothing yet, so that nothing can be found in it."""

    exit_code = 2

    def __init__(self, encoder: str) -> None:
        super().__init__(
            f"The index holds no frame yet, whatever the runs hold. "
            f"Type: python -m store index --encoder {encoder}"
        )


class IndexMismatch(StoreError):
    """The index was made with another encoder."""

    exit_code = 2


class IndexLocked(StoreError):
    """Another process writes the embedded index."""

    exit_code = 2

    def __init__(self, holder: str) -> None:
        self.holder = holder
        super().__init__(
            f"The index is being written by {holder}. Wait for it, then type: python -m store index"
        )


class IndexDamaged(StoreError):
    """The index cannot be opened. It is a cache: nothing is lost."""

    exit_code = 2

    def __init__(self, path: Path, problem: str) -> None:
        self.problem = problem
        super().__init__(
            f"The index at {path} cannot be opened ({problem}). "
            "Nothing is lost. Type: python -m store index --rebuild"
        )


class IndexUnreachable(StoreError):
    """No Chroma server answers at this address."""

    exit_code = 2

    def __init__(self, url: str, problem: str) -> None:
        super().__init__(
            f"No Chroma server answers at {url} ({problem}). "
            "Start one (chroma run --path FOLDER), or leave out --index and type: "
            "python -m store search TEXT"
        )


class NothingToForget(StoreError):
    """Nothing that is kept fits the request."""

    exit_code = 2

    def __init__(self, asked: str, value: str, unread: Sequence[str] = ()) -> None:
        left = f" What cannot be read may tell of it: {' '.join(unread)}" if unread else ""
        told = left or " Type: python -m store show latest"
        super().__init__(f"Nothing that is kept fits --{asked} {value}.{told}")


class CopiesRemain(StoreError):
    """Exports or trainings hold what is to be forgotten, and nobody said what becomes of them."""

    exit_code = 2

    def __init__(self, paths: list[Path]) -> None:
        self.paths = paths
        super().__init__(
            f"Exports or trainings hold what is to be forgotten: {', '.join(map(str, paths))}. "
            "Nothing was forgotten yet. To delete them with the rest, type the same command with: "
            "--remove-copies"
        )


class CopiesElsewhere(StoreError):
    """What was made of it lies outside the data folder, where nothing of ours is deleted."""

    exit_code = 2

    def __init__(self, paths: list[Path]) -> None:
        self.paths = paths
        super().__init__(
            "Outside the data folder lies what was made of it. Nothing was forgotten yet. Look at "
            "it, then type the line below, and the same command again.\n"
            f"rm -r {' '.join(shlex.quote(str(path)) for path in paths)}"
        )


class ForgettingPending(StoreError):
    """An earlier request was cut off, and comes first."""

    exit_code = 2

    def __init__(self) -> None:
        super().__init__(
            "An earlier request to forget was cut off. Type: python -m store forget --resume"
        )


class BadExport(StoreError):
    """A folder that is no finished export, or no place for a new one."""

    exit_code = 2

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(f"{path} {problem}. Type: python -m store export NEW_FOLDER")


class FolderInUse(StoreError):
    """A folder for something made of frames holds other things, which would go with it."""

    exit_code = 2

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"{path} holds other files, and what is made there can only be forgotten whole. "
            "Type: the same with a new folder"
        )


class LeakingExport(StoreError):
    """An export names a creator or a video after all, and so is never finished."""

    def __init__(self, place: str) -> None:
        super().__init__(
            f"The export names a known creator or video in {place}: nothing of it is left. "
            "If names may be told, type: python -m store export NEW_FOLDER --keep-handles"
        )


class NothingToExport(StoreError):
    """No frame fits the filters."""

    exit_code = 2

    def __init__(self) -> None:
        super().__init__("No kept frame fits these filters. Type: python -m store stats")


class BadCaptions(StoreError):
    """A CSV that does not describe the pictures beside it."""

    exit_code = 2

    def __init__(self, path: Path, line: int, problem: str) -> None:
        super().__init__(
            f"{path}:{line}: {problem}. Mend it, then type: "
            "python -m store import FOLDER --captions CSV"
        )


class BadBackup(StoreError):
    """A file that is no whole backup, or no place for one."""

    exit_code = 2

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(f"{path} {problem}. Type: python -m store backup NEW_FILE.tar")


class NoPlaceToRestore(StoreError):
    """There is something in the data folder already, and nothing is ever mixed into it."""

    exit_code = 2

    def __init__(self, path: Path, backup: Path, problem: str = "is not empty") -> None:
        super().__init__(
            f"{path} {problem}. Type: python -m store restore {backup} --data NEW_FOLDER"
        )


class UnknownGroup(StoreError):
    """This machine has no such group of users."""

    exit_code = 2

    def __init__(self, name: str) -> None:
        super().__init__(f"There is no group {name!r} on this machine. Type: getent group")


class ProfileInUse(StoreError):
    """A browser writes the profile that is to be backed up."""

    exit_code = 2

    def __init__(self, account: str, holder: str) -> None:
        super().__init__(
            f"The profile of {account} is in use by {holder}. Pause what uses it, then type: "
            "python -m store backup FILE.tar --with-profiles"
        )


class BadLadder(StoreError):
    """A record of a training makes no sense."""

    exit_code = 2

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"{path} cannot be read; without it the same command makes it again. Type: rm {path}"
        )


class DataUnreadable(StoreError):
    """A file of the data folder cannot be read."""

    exit_code = 2

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(
            f"{path} cannot be read ({problem}). Mend its rights, or type: --data FOLDER"
        )


class DataUnwritable(StoreError):
    """The data folder cannot be written."""

    exit_code = 2

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(
            f"{path} cannot be written ({problem}). Make room or rights, or type: --data FOLDER"
        )
