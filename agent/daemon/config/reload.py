"""The watch file in force: a change is taken up as a whole, or refused as a whole."""

from __future__ import annotations

import hashlib
from pathlib import Path

from agent.daemon.config.jobs import Job, load_watch_file, resolve_entries
from agent.daemon.config.watch_file import WatchFile
from agent.daemon.journal.events import FileAccepted, FileRefused
from agent.daemon.journal.writer import JournalWriter
from agent.daemon.machine_clock import OF_THE_MACHINE
from agent.errors import UserError


class LoadedFile:
    """The file and what it means; raises ``BadWatch`` where it is wrong from the start."""

    def __init__(self, path: Path, book: JournalWriter) -> None:
        self._path, self._book = path, book
        self.watch: WatchFile = load_watch_file(path)
        self.jobs: dict[str, Job] = resolve_entries(self.watch)
        self._seen = b""

    def look(self) -> bool:
        """Take up what has changed; return whether there is something new in force.

        Raises ``OSError``, with nothing taken up, where the machine opens no file now.
        """
        digest = self._digest()
        if digest == self._seen:
            return False
        self._seen = digest
        now = self._book.now()
        try:
            watch = load_watch_file(self._path)
            found = resolve_entries(watch)
        except UserError as error:
            self._book.note(FileRefused(at=now, problem=str(error)))
            return False
        self.watch, self.jobs = watch, found
        before, sha256 = self._book.state, self._digest().hex()
        taken = FileAccepted(
            at=now,
            sha256=sha256,
            entries=tuple(found),
            timezone=watch.timezone,
            zones={entry.name: entry.timezone for entry in watch.entries if entry.timezone},
        )
        same = before.file is not None and before.file.model_copy(update={"at": now}) == taken
        if not same or before.refused:
            self._book.note(taken)
        return True

    def _digest(self) -> bytes:
        found = hashlib.sha256()
        studies = [entry.study for entry in self.watch.entries if entry.study is not None]
        for path in (self._path, *studies):
            try:
                found.update(path.read_bytes())
            except OSError as error:
                if error.errno in OF_THE_MACHINE:
                    raise
                found.update(str(error).encode())
        return found.digest()
