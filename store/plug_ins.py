"""Plug-ins: models, encoders, strategies, platforms and estimators of other people's packages.

A package declares them as entry points. Which there are is read from what is installed, without
running any of it; the code of one is loaded when its name is used.
"""

from __future__ import annotations

import hashlib
import re
import traceback
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from store.errors import StoreError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

MODELS, ENCODERS = "feedsway.models", "feedsway.encoders"
STRATEGIES, PLATFORMS = "feedsway.strategies", "feedsway.platforms"
ESTIMATORS = "feedsway.estimators"
NOUNS = {
    MODELS: "model",
    ENCODERS: "encoder",
    STRATEGIES: "strategy",
    PLATFORMS: "platform",
    ESTIMATORS: "estimator",
}
"""Groups of entry points, and what one of each is called."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_SOURCE_ENDS = (".py", ".toml", ".txt", ".json")
"""Ends of the files of a package that make it answer as it does, but for weights."""
_DIGITS = 16


class PlugInFault(StoreError):
    """A plug-in cannot be used: somebody else's package, or two of them."""


class PlugInBroken(PlugInFault):
    """A plug-in that cannot be loaded, or is not what it says."""

    def __init__(self, label: str, problem: str, fix: str) -> None:
        super().__init__(f"The {label} cannot be used: {problem}. Type: {fix}")


class PlugInClash(PlugInFault):
    """A name that two plug-ins have, or a plug-in and feedsway itself."""

    def __init__(self, noun: str, name: str, holders: Sequence[str], package: str) -> None:
        super().__init__(
            f"The {noun} {name} is declared by {' and by '.join(holders)}, and nobody can tell "
            f"which is meant. Type: pip uninstall {package}"
        )


@dataclass(frozen=True)
class PlugIn:
    """An entry point, and the package that it comes in."""

    kind: str
    """What one of its group is called, such as ``model``."""
    name: str
    package: str
    version: str
    target: EntryPoint

    @property
    def label(self) -> str:
        """What it is and where it comes from, in words."""
        return f"{self.kind} {self.name} of {self.package} {self.version}"

    def load(self) -> object:
        """Import what the entry point names; raises ``PlugInBroken``."""
        return _load(self)

    def refuse(self, problem: str) -> PlugInBroken:
        """Return the error that says what is wrong with what was loaded."""
        return PlugInBroken(self.label, problem, f"pip uninstall {self.package}")

    def tell_error(self, error: BaseException) -> str:
        """Say an error that its code raised in one line, with the last place in its own files."""
        words = " ".join(str(error).split())[:200].rstrip(".")
        told = f"{type(error).__name__}: {words}" if words else type(error).__name__
        home = _home(self.target.module)
        frames = [
            frame
            for frame in traceback.extract_tb(error.__traceback__)
            if home is not None and Path(frame.filename).is_relative_to(home)
        ]
        if not frames:
            return told
        return f"{told} ({Path(frames[-1].filename).name}, line {frames[-1].lineno})"

    @property
    def code(self) -> str:
        """Hash of its source files: 16 digits. Two states of one version differ in it."""
        return _hash_code(self.target.module)


@dataclass(frozen=True)
class PlugInKind:
    """Plug-ins of one group, beside what feedsway has of the kind itself."""

    group: str
    own: Collection[str]
    """Names that are feedsway's."""

    @property
    def noun(self) -> str:
        return NOUNS[self.group]

    def names(self) -> tuple[str, ...]:
        """Return the names that packages add."""
        return tuple(sorted({each.name for each in _installed(self.group)}.difference(self.own)))

    def all(self) -> tuple[PlugIn, ...]:
        """Return every plug-in of the group, also those whose names clash."""
        return _installed(self.group)

    def find(self, name: str) -> PlugIn | None:
        """Return the plug-in of a name; ``None`` for one of feedsway's own, or of nobody.

        Raises ``PlugInClash`` where two have the name, or a package takes one of feedsway's.
        """
        same = [each for each in _installed(self.group) if each.name == name]
        if not same:
            return None
        if len(same) > 1 or name in self.own:
            holders = [f"{each.package} {each.version}" for each in same]
            if name in self.own:
                holders.insert(0, "feedsway itself")
            raise PlugInClash(self.noun, name, holders, same[-1].package)
        if not _NAME.fullmatch(name):
            raise same[0].refuse("its name has more than letters, digits, hyphens and underscores")
        return same[0]


@cache
def _declared() -> tuple[EntryPoint, ...]:
    """Read the entry points of everything that is installed, once a process."""
    from importlib.metadata import entry_points  # some hundredths of a second

    found = entry_points()
    return tuple(each for group in NOUNS for each in found.select(group=group))


@cache
def _installed(group: str) -> tuple[PlugIn, ...]:
    found = [each for each in _declared() if each.group == group]
    return tuple(_read(group, sorted(found, key=lambda each: each.name)))


def _read(group: str, found: list[EntryPoint]) -> Iterator[PlugIn]:
    seen = set()
    for each in found:
        if each.dist is None:
            continue  # nobody could say whose it is
        package, version = each.dist.metadata["Name"], each.dist.version
        if (each.name, package) not in seen:  # one package may lie in two folders of the path
            seen.add((each.name, package))
            yield PlugIn(NOUNS[group], each.name, package, version, each)


@cache
def _load(plug_in: PlugIn) -> object:
    try:
        return plug_in.target.load()
    except Exception as error:
        problem = f"loading it fails with {plug_in.tell_error(error)}"
        module, attribute = plug_in.target.module, plug_in.target.attr.partition(".")[0]
        fix = f"python -c 'from {module} import {attribute or '*'}'"
        raise PlugInBroken(plug_in.label, problem, fix) from error


def _home(module: str) -> Path | None:
    """Return the folder of a package, or the file of a module, without importing it."""
    try:
        spec = find_spec(module.partition(".")[0])
    except (ImportError, ValueError):
        return None
    if spec is None:
        return None
    if spec.submodule_search_locations:
        return Path(next(iter(spec.submodule_search_locations)))
    return Path(spec.origin) if spec.origin else None


@cache
def _hash_code(module: str) -> str:
    home = _home(module)
    if home is None:
        return ""
    paths = sorted(home.rglob("*")) if home.is_dir() else [home]
    digest = hashlib.sha256()
    for path in paths:
        if path.suffix in _SOURCE_ENDS and path.is_file():
            name = path.relative_to(home).as_posix() if home.is_dir() else path.name
            digest.update(f"{name}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()[:_DIGITS]
