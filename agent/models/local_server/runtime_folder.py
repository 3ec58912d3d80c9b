"""The folder where the users of a model server and its keeper meet: locks, address, log."""

from __future__ import annotations

import hashlib
import json
import os
import stat
import warnings
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import platformdirs
from filelock import FileLock, Timeout

from agent.errors import BadConfig
from store.jsonl.atomic import write_whole

MARK = "FEEDSWAY_MODEL_SERVER"
"""Environment variable by which every process of a server is found again: its folder."""


@dataclass(frozen=True)
class ServerRecipe:
    """How a model server is started, less its port and its key."""

    model: str
    command: tuple[str, ...]  # the program and its arguments; ``--host`` and ``--port`` are added
    environment: tuple[tuple[str, str], ...]
    key_variable: str  # in which it takes its key, so that no list of processes shows it
    limit_s: float  # wall time within which it must answer
    weights: str = ""  # hash of the model's and its adapter's files, where these lie here
    linger_s: float = 0.0  # wall time that it stays after its last user, once it has answered

    @property
    def settings(self) -> str:
        """What makes its model answer as it does: not where it runs, nor its log."""
        return json.dumps([self.command[1:], self.weights])

    @property
    def identity(self) -> str:
        """Name of this server among those of this machine: the same for the same recipe."""
        parts = json.dumps([self.command, self.environment, self.weights])
        return hashlib.sha256(parts.encode()).hexdigest()[:24]


@dataclass(frozen=True)
class ServerAddress:
    """Where a server answers, and to whom."""

    url: str
    key: str


@dataclass(frozen=True)
class ServerFolder:
    """The files of one server, in this user's runtime folder."""

    path: Path

    @classmethod
    def for_recipe(cls, recipe: ServerRecipe) -> ServerFolder:
        """Make the folder, for this user only; ``BadConfig`` where it is somebody else's."""
        with warnings.catch_warnings():
            # without XDG_RUNTIME_DIR it is a folder for temporary files; who owns it is checked
            warnings.simplefilter("ignore", platformdirs.RuntimeDirWarning)
            home = Path(platformdirs.user_runtime_dir("feedsway"))
        path = home / "servers" / recipe.identity
        home.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        for folder in (home, home / "servers", path, path / "users"):
            folder.mkdir(exist_ok=True, mode=0o700)  # one by one: parents would follow the umask
        for folder in (home.parent, home, home / "servers", path):
            status = folder.stat()
            if status.st_uid != os.getuid() or stat.S_IMODE(status.st_mode) & 0o022:
                raise BadConfig(
                    f"{folder} must belong to you alone, since it holds keys. "
                    "Type: export XDG_RUNTIME_DIR=FOLDER"
                )
        home.chmod(0o700)
        return cls(path)

    @property
    def log(self) -> Path:
        return self.path / "server.log"

    @property
    def recipe(self) -> Path:
        return self.path / "recipe.json"

    @property
    def failure(self) -> Path:
        """Why a worker of ours could not load its model, as it would have been raised."""
        return self.path / "failure.json"

    @property
    def leave(self) -> Path:
        """Lies there where an unused server shall end at once, since another needs room."""
        return self.path / "leave"

    @property
    def door(self) -> FileLock:
        """Held for a moment by whoever comes, and by the keeper while it closes."""
        return FileLock(self.path / "door.lock", thread_local=False)

    @property
    def keeper(self) -> FileLock:
        """Held by the keeper for as long as it lives."""
        return FileLock(self.path / "keeper.lock", thread_local=False)

    def user(self, name: str) -> FileLock:
        """Held by one user for as long as it lives."""
        return FileLock(self.path / "users" / f"{name}.lock", thread_local=False)

    def has_users(self) -> bool:
        """Tell whether any user lives, and forget the dead; to be called behind the door."""
        living = 0
        for path in (self.path / "users").iterdir():
            if is_held(FileLock(path, thread_local=False)):
                living += 1
            else:
                path.unlink(missing_ok=True)
        return living > 0

    def idle_neighbours(self) -> list[ServerFolder]:
        """Return this user's other servers that only wait for somebody to come."""
        others = [ServerFolder(path) for path in self.path.parent.iterdir() if path != self.path]
        return [each for each in others if is_held(each.keeper) and not each._is_used()]

    def _is_used(self) -> bool:
        users = (self.path / "users").glob("*.lock")
        return any(is_held(FileLock(path, thread_local=False)) for path in users)

    def address(self) -> ServerAddress | None:
        try:
            return ServerAddress(**json.loads(self._address.read_bytes()))
        except FileNotFoundError:
            return None

    def announce(self, address: ServerAddress) -> None:
        write_whole(self._address, json.dumps(asdict(address)).encode(), sync=False)
        self._address.chmod(0o600)

    def retract(self) -> None:
        self._address.unlink(missing_ok=True)

    @property
    def _address(self) -> Path:
        return self.path / "address.json"


def is_held(lock: FileLock) -> bool:
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return True
    lock.release()
    return False


def processes_of(folder: Path) -> Iterator[int]:
    """Processes of the server that is or was kept in a folder, without its keeper."""
    import psutil

    for process in psutil.process_iter():
        with suppress(psutil.Error):  # of another user, or gone by now
            if process.environ().get(MARK) == str(folder) and process.pid != os.getpid():
                yield process.pid
