"""``feedsway.toml``: values of options that are the same in every call, checked as they are read.

The nearest one counts, in the working folder or above it; what it leaves open, the one of the
user's configuration folder says. A file that belongs to somebody else is passed over: it could name
any program as the browser.
"""

from __future__ import annotations

import difflib
import os
import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING

from store.terminal.command_words import spell_commands
from store.untrusted.clean_text import show_line

if TYPE_CHECKING:
    from click import UsageError

FILE = "feedsway.toml"
VARIABLE = "FEEDSWAY_CONFIG"
"""Names the one file to be read; where it is empty, none is."""
NO_FILE = {VARIABLE: ""}
"""Environment of a child that takes only what it is told."""
Value = str | int | float | bool
_SECRET_NAME = re.compile(
    r"(?i)(?:^|[-_])(?:api|auth)?(?:key|token|secret|passw(?:or)?d|passphrase|credential)s?(?:$|[-_])"
)
_HOURS = re.compile(r"(?:[01]\d|2[0-3]):[0-5]\d-(?:[01]\d|2[0-3]):[0-5]\d")
_LIKE_A_KEY = 0.85
"""How near a name must be to a key to be taken for it misspelled, and for no secret."""
_SECRET_VALUE = re.compile(
    r"(?i)://[^/\s@]+@|[?&](api[-_]?)?(key|token|secret|password)="
    r"|\b(?:(?:sk|pk|rk|xox[abp]|gh[pousr]|hf|glpat)[-_]|AIza|ya29\.)[a-z0-9][\w.-]{14,}"
)


@dataclass(frozen=True)
class ConfigKey:
    """A key of the file, which is the name of an option."""

    name: str
    check: Callable[[object], Value]
    """Returns the value; raises ``ValueError``, which says what it must be."""
    example: str
    """As it stands in the file."""
    meaning: str


@dataclass(frozen=True)
class ConfigValue:
    """A value with the file that it stands in."""

    value: Value
    file: Path


@dataclass(frozen=True)
class ConfigFiles:
    """What the files say together."""

    values: Mapping[str, ConfigValue]
    files: tuple[Path, ...] = ()
    """Those that were read, the one that counts more first."""
    passed_over: tuple[Path, ...] = ()
    """Those of other users."""


def _text(value: object) -> str:
    if isinstance(value, str) and value.strip() and value.isprintable():
        return value
    raise ValueError("text in quotes")


def _flag(value: object) -> bool:
    if isinstance(value, bool):
        return value
    raise ValueError("true or false")


def _number(least: float) -> Callable[[object], float]:
    def check(value: object) -> float:
        if isinstance(value, int | float) and not isinstance(value, bool) and least <= value < inf:
            return value
        raise ValueError(f"a number from {least:g} on")

    return check


def _whole(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    raise ValueError("a whole number from 0 on")


def _hours(value: object) -> str:
    if isinstance(value, str) and _HOURS.fullmatch(value):
        return value
    raise ValueError("hours in quotes")


def _zone(value: object) -> str:
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        return ZoneInfo(_text(value)).key
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("a time zone in quotes") from None


CONFIG_KEYS = (
    ConfigKey("data", _text, '"data"', "Folder where everything is kept, or its URL."),
    ConfigKey("index", _text, '"http://localhost:8000"', "A Chroma server."),
    ConfigKey("encoder", _text, '"conse"', "Encoder of the index."),
    ConfigKey("browser", _text, '"/usr/bin/chromium"', "Path, command, or ws://… of a server."),
    ConfigKey("headed", _flag, "true", "Show the browser's window."),
    ConfigKey("model", _text, '"embedded/conse"', "Who answers in run, rejudge and judge-check."),
    ConfigKey("max-cost", _number(0), "5.0", "USD that one command may spend on a model."),
    ConfigKey("max-tokens", _whole, "2000000", "Tokens that one command may use."),
    ConfigKey("per-day", _whole, "300", "Live: videos a day for an account; 0: no cap."),
    ConfigKey("pace", _number(0.5), "3.0", "Live: seconds at least between actions."),
    ConfigKey("quiet-hours", _hours, '"23:00-07:00"', "Live: when nothing is watched."),
    ConfigKey("timezone", _zone, '"Europe/Berlin"', "Live: whose days and hours these are."),
)
_BY_NAME = {key.name: key for key in CONFIG_KEYS}
_EXAMPLE_HEAD = """\
# Options that are the same in every call. What is typed counts more, then the environment
# (FEEDSWAY_DATA, FEEDSWAY_BROWSER). Paths begin at this file's folder. No secret belongs here.
# What is in force: feedsway config
"""


def example_file() -> str:
    """Return a file to start from, whose keys are all commented out."""
    width = max(len(f"# {key.name} = {key.example}") for key in CONFIG_KEYS)
    lines = (f"{f'# {key.name} = {key.example}':<{width}}  # {key.meaning}" for key in CONFIG_KEYS)
    return _EXAMPLE_HEAD + "\n".join(lines) + "\n"


def read_config(environment: Mapping[str, str], here: Path) -> ConfigFiles:
    """Return what the files say that count here; raises ``UsageError``."""
    files, others = _find_files(environment, here)
    values: dict[str, ConfigValue] = {}
    for file in files:
        values = {name: ConfigValue(one, file) for name, one in _read(file).items()} | values
    return ConfigFiles(values, tuple(files), tuple(others))


def _find_files(environment: Mapping[str, str], here: Path) -> tuple[list[Path], list[Path]]:
    """Return the files to read, and those of other users."""
    named = environment.get(VARIABLE)
    if named is not None:
        if named and not Path(named).is_file():
            raise _wrong(f"{VARIABLE} names {named}, which is no file", f"unset {VARIABLE}")
        return ([Path(named)] if named else []), []
    from platformdirs import user_config_path

    above = (folder / FILE for folder in _list_above(here))
    nearest = next((path for path in above if _is_there(path)), None)
    of_user = user_config_path("feedsway") / FILE
    found = [path for path in (nearest, of_user) if path is not None and _is_there(path)]
    ours = [path for path in found if _is_ours(path)]
    return list(dict.fromkeys(ours)), [path for path in found if path not in ours]


def _is_ours(path: Path) -> bool:
    """Whether nobody else could have written a file, or the link that it is."""
    from stat import S_IWOTH

    there = (path.lstat(), path.stat())
    own = all(one.st_uid in (os.getuid(), 0) for one in there)
    return own and not there[1].st_mode & S_IWOTH


def _list_above(here: Path) -> tuple[Path, ...]:
    """Return a folder and those above it; none where the working folder was deleted."""
    try:
        whole = here.absolute()
    except OSError:
        return ()
    return (whole, *whole.parents)


def _is_there(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # in a folder that may not be searched
        return False


def _read(file: Path) -> dict[str, Value]:
    from store.untrusted.size_limits import BadToml, read_toml

    try:
        table = read_toml(file)
    except (OSError, BadToml) as error:
        said = error.strerror if isinstance(error, OSError) else str(error)
        raise _wrong(f"{file} cannot be read: {said}", "python -m agent config --example") from None
    return {
        key.name: _place(key.name, _check(file, key, value), file)
        for key, value in ((_find_key(file, name), value) for name, value in table.items())
    }


def _find_key(file: Path, name: str) -> ConfigKey:
    spelled = name.replace("_", "-")
    if spelled in _BY_NAME:
        return _BY_NAME[spelled]
    misspelled = difflib.get_close_matches(spelled, _BY_NAME, 1, _LIKE_A_KEY)
    misspelled = misspelled or [known for known in _BY_NAME if known.endswith(f"-{spelled}")]
    if _SECRET_NAME.search(name) and not misspelled:
        raise _wrong(
            f"{file} holds {name!r}, which looks like a secret, and none may stand there. "
            "Take it out",
            f"export {re.sub(r'[^A-Z0-9]', '_', name.upper())}=…",
        )
    near = misspelled or difflib.get_close_matches(spelled, _BY_NAME, 1)
    meant = f" The nearest is {near[0]}." if near else ""
    type_ = f"{near[0]} = {_BY_NAME[near[0]].example}" if near else "python -m agent config --help"
    raise _wrong(f"{file} has no key {name!r}.{meant}", type_)


def _check(file: Path, key: ConfigKey, value: object) -> Value:
    if isinstance(value, str) and _SECRET_VALUE.search(value):
        raise _wrong(
            f"{file} holds something like a password or a key under {key.name!r}, and none may "
            "stand there. Take it out, and give it in the call",
            f"--{key.name} …",
        )
    try:
        return key.check(value)
    except ValueError as error:
        raise _wrong(
            f"{file}: {key.name} must be {error}, and is {str(value)[:80]!r}",
            f"{key.name} = {key.example}",
        ) from None


def _place(name: str, value: Value, file: Path) -> Value:
    """Have a relative path begin at the folder of its file."""
    path = str(value)
    if name not in ("data", "browser") or "://" in path:
        return value
    if name == "browser" and os.sep not in path:
        return value  # a command
    try:
        named = Path(path).expanduser()
        whole = file.absolute().parent / named
        return os.path.relpath(whole) if name == "data" and not named.is_absolute() else str(whole)
    except (RuntimeError, OSError):  # no such user, or a working folder that was deleted
        raise _wrong(f"{file}: {name} = {path[:80]!r} leads nowhere", f'{name} = "data"') from None


def _wrong(problem: str, type_: str) -> UsageError:
    """Return what is wrong as one sentence, and what to type."""
    from click import UsageError

    end = "" if problem.endswith(".") else "."
    return UsageError(spell_commands(f"{show_line(problem)[:500]}{end} Type: {type_}"))


def tell_others_file(path: Path) -> str:
    """Return what is said of a file that is passed over."""
    return (
        f"{path} is another user's, so it is not read. To read it, type: "
        f"export {VARIABLE}={shlex.quote(str(path))}"
    )
