"""What no input may bring about: a strange error, a hang, a flood, a value that cannot be told."""

from __future__ import annotations

import atexit
import dataclasses
import json
import math
import os
import re
import resource
import shutil
import signal
import sys
import tempfile
import threading
import time
import tomllib
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from enum import Enum
from functools import cache
from pathlib import Path
from types import FrameType
from typing import Any

from pydantic import BaseModel

from store.untrusted.clean_text import show_text

MOST_SECONDS = 2.0
"""Of processor time, for one input."""
MOST_BYTES = 500 * 2**20
"""By which one input may raise the memory of the process."""
_HANGS_S = 20.0
_ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Target:
    """A door: what opens it, and the errors that it is documented to raise."""

    name: str
    modules: tuple[str, ...]
    """The parsers behind it, by their files."""
    run: Callable[[bytes, Path], object]
    """Reads the bytes, in an empty folder of its own; asserts what must hold of the result."""
    refuses: tuple[type[Exception], ...] = ()
    kind: str = "bytes"
    """How inputs are changed: ``json``, ``lines`` of JSON, ``toml``, ``text`` or ``bytes``."""
    prepare: Callable[[], object] = lambda: None
    """Makes once what all its inputs need."""

    @property
    def words(self) -> tuple[str, ...]:
        """Words of its grammar, which chance would not find."""
        return tuple(_read_words().get(self.name, ()))


@cache
def _read_words() -> dict[str, list[str]]:
    return tomllib.loads(Path(__file__).with_name("words.toml").read_text(encoding="utf-8"))


class Finding(AssertionError):
    """Something that no input may bring about."""

    def __init__(self, target: str, problem: str, place: str = "") -> None:
        self.target, self.problem, self.place = target, problem, place
        super().__init__(f"{target}: {problem}" + (f" ({place})" if place else ""))

    @property
    def signature(self) -> str:
        """What findings of one cause share."""
        return re.sub(r"\d+", "0", f"{self.target} {self.place or self.problem[:60]}")


class _Hang(BaseException):
    """An input that is never done with; no handler of ``Exception`` may keep it."""


class OutsideWrite(BaseException):
    """Something wrote outside of the folder that it was given."""


def examine(target: Target, content: bytes, folder: Path) -> str:
    """Give one input to a door; return what came of it, and raise ``Finding`` where it may not.

    What is returned tells a value, or the class of the error that refused the input.
    """
    target.prepare()
    told, took = _examine_once(target, content, folder)
    if took > MOST_SECONDS:  # maybe something was imported, or the machine is busy
        _, took = _examine_once(target, content, folder)
        if took > MOST_SECONDS:
            raise Finding(target.name, f"took {took:.1f} s", "time")
    return told


def _examine_once(target: Target, content: bytes, folder: Path) -> tuple[str, float]:
    """Return what came of an input, and the processor time that it took."""
    place = folder / "place"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    started, before = time.process_time(), _memory()
    try:
        with _watched():
            told = _tell(target.run(content, place))
    except target.refuses as error:
        told = f"{type(error).__name__}"
        _check_words(target, error)
    except _Hang:
        raise Finding(target.name, f"not done after {_HANGS_S:g} s") from None
    except OutsideWrite as error:
        raise Finding(target.name, str(error), "outside") from None
    except MemoryError as error:
        raise Finding(target.name, "MemoryError", _place_of(error)) from error
    except Exception as error:
        words = f"{type(error).__name__}: {error}"[:300]
        raise Finding(target.name, words, _place_of(error)) from error
    took = time.process_time() - started
    if (grew := _memory() - before) > MOST_BYTES:
        raise Finding(target.name, f"took {grew / 2**20:.0f} MiB", "memory")
    if (left := sorted(one.name for one in folder.iterdir())) != ["place"]:
        raise Finding(target.name, f"left {left} outside of its folder", "outside")
    return told, took


def _check_words(target: Target, error: Exception) -> None:
    try:
        show_text(str(error)).encode()
    except UnicodeError:
        raise Finding(target.name, f"words of {type(error).__name__} cannot be shown") from None


def _tell(value: object) -> str:
    """Write a value as JSON in UTF-8, as results are; a time without a zone is none."""
    text = json.dumps(_plain(value), ensure_ascii=False, allow_nan=False)
    text.encode()
    return text


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return _plain(dict(value))
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {one.name: _plain(getattr(value, one.name)) for one in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(name): _plain(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    if isinstance(value, (set, frozenset)):
        return sorted((_plain(each) for each in value), key=repr)
    return _plain_scalar(value)


def _plain_scalar(value: Any) -> Any:
    if isinstance(value, datetime):
        assert value.tzinfo is not None, "a time has no zone"
        return value.isoformat()
    if isinstance(value, float):
        assert math.isfinite(value), f"a number is {value}"
    if isinstance(value, Enum | Path | date):
        return str(value)
    return value.hex() if isinstance(value, bytes) else value


def _memory() -> int:
    """Bytes that the process has had at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _place_of(error: BaseException) -> str:
    """The last line of this project in a traceback, and the last of all."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [
        one
        for one in frames
        if one.filename.startswith(str(_ROOT)) and "/.venv/" not in one.filename
    ]
    named = [*ours[-1:], *frames[-1:]]
    return " < ".join(
        dict.fromkeys(
            f"{type(error).__name__} {Path(one.filename).name}:{one.name}"
            for one in reversed(named)
        )
    )


_allowed: list[bool] = []
_PREFIX = "feedsway-fuzz-"
_HOMES = (f"{os.path.realpath(tempfile.gettempdir())}/{_PREFIX}", "/dev/")


def make_folder() -> Path:
    """Return a new folder, which inputs may write to; it is deleted when the process ends."""
    made = tempfile.mkdtemp(prefix=_PREFIX)
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    return Path(os.path.realpath(made))


@cache
def shared_folder() -> Path:
    """Return a folder for what is made once and read by many inputs."""
    return make_folder()


_OPENED = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
_CHANGES = {
    "os.remove": ((0, 1),), "os.rename": ((0, 2), (1, 3)), "os.mkdir": ((0, 2),),
    "os.rmdir": ((0, 1),), "os.link": ((1, 3),), "os.symlink": ((1, 2),),
}  # fmt: skip
"""Events of the interpreter that change a folder: which arguments are a path, and of what."""


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if not _allowed:
        return
    if event == "open":
        path, _, flags = arguments
        touched = [(path, -1)] if isinstance(flags, int) and flags & _OPENED else []
    elif event in _CHANGES:
        touched = [(arguments[at], arguments[of]) for at, of in _CHANGES[event]]
    else:
        return
    for path, folder in touched:
        if isinstance(path, str | bytes | os.PathLike):
            whole = _resolve(os.fsdecode(path), folder)
            if not whole.startswith(_HOMES) and "__pycache__" not in whole:
                raise OutsideWrite(f"{event} of {whole}")


def _resolve(path: str, folder: Any) -> str:
    """Return where a path leads that may begin at an open folder."""
    if isinstance(folder, int) and folder >= 0 and not path.startswith("/"):
        path = f"/proc/self/fd/{folder}/{path}"
    return os.path.realpath(path)


@contextmanager
def _watched() -> Iterator[None]:
    """Stop what hangs, and what writes outside of a folder; both in this thread alone."""
    if not _hooked:
        sys.addaudithook(_audit)
        _hooked.append(True)
    in_main = threading.current_thread() is threading.main_thread()
    before = signal.signal(signal.SIGVTALRM, _end) if in_main else None
    if in_main:
        signal.setitimer(signal.ITIMER_VIRTUAL, _HANGS_S)
    _allowed.append(True)
    try:
        yield
    finally:
        _allowed.clear()
        if in_main:
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
            signal.signal(signal.SIGVTALRM, before)


_hooked: list[bool] = []


def _end(_: int, __: FrameType | None) -> None:
    raise _Hang
