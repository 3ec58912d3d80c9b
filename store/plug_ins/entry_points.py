"""Plug-ins: models, encoders, strategies, platforms and estimators of other people's packages.

A package declares them as entry points. Which there are is read from what is installed, without
running any of it; the code of one is loaded when its name is used.
"""

from __future__ import annotations

import re
import traceback
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING

from store.errors import StoreError
from store.plug_ins.package_code import find_home, hash_package
from store.plug_ins.stdout_guard import print_to_stderr

if TYPE_CHECKING:
    from importlib.metadata import Distribution, EntryPoint

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
RAISED = (Exception, SystemExit)
"""What a stranger's code may raise without ending the command."""


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
        home = find_home(self.target.module)
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
        """Hash of its package's files: 16 digits. Two states of one version differ in it."""
        return _hash_code(self)


@dataclass(frozen=True)
class PlugInKind:
    """Plug-ins of one group, beside what feedsway has of the kind itself."""

    group: str
    own: Collection[str]
    """Names that are feedsway's."""
    own_stem: str | None = None
    """Every name that begins with it is feedsway's too."""

    @property
    def noun(self) -> str:
        return NOUNS[self.group]

    def names(self) -> tuple[str, ...]:
        """Return the names that packages add."""
        return tuple(
            sorted({each.name for each in _installed(self.group) if not self._owns(each.name)})
        )

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
        if len(same) > 1 or self._owns(name):
            holders = [f"{each.package} {each.version}" for each in same]
            if self._owns(name):
                holders.insert(0, "feedsway itself")
            raise PlugInClash(self.noun, name, holders, same[-1].package)
        if not _NAME.fullmatch(name):
            raise same[0].refuse("its name has more than letters, digits, hyphens and underscores")
        return same[0]

    def _owns(self, name: str) -> bool:
        """Whether a name is feedsway's own."""
        return name in self.own or (self.own_stem is not None and name.startswith(self.own_stem))


@dataclass(frozen=True)
class BrokenPackage:
    """A package that may declare plug-ins, and nobody can tell which."""

    name: str | None
    folder: str
    """Where it is installed."""
    problem: str

    @property
    def label(self) -> str:
        return self.name or f"one without a name in {self.folder}"

    @property
    def fix(self) -> str:
        """What is wrong with it, and what to type."""
        look = f"pip uninstall {self.name}" if self.name else f"ls {quote(self.folder)}"
        return f"The plug-ins of this package cannot be read: {self.problem}. Type: {look}"


def find_broken_packages() -> tuple[BrokenPackage, ...]:
    """Return the packages whose plug-ins cannot be read; nothing else is affected by them."""
    return tuple(each for each in _declared() if isinstance(each, BrokenPackage))


@cache
def _declared() -> tuple[PlugIn | BrokenPackage, ...]:
    """Read the entry points of everything that is installed, once a process."""
    from importlib.metadata import distributions  # some hundredths of a second

    found: dict[str, list[PlugIn]] = {}
    broken = []
    for dist in distributions():
        try:
            plug_ins = _read(dist)
            if plug_ins:  # one package may lie in two folders of the path; the first is imported
                found.setdefault(plug_ins[0].package, plug_ins)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with a stranger's files
            words = " ".join(f"{type(error).__name__}: {error}".split())[:200].rstrip(".")
            broken.append(BrokenPackage(_find_name(dist), str(dist.locate_file("")), words))
    return (*(each for plug_ins in found.values() for each in plug_ins), *broken)


def _read(dist: Distribution) -> list[PlugIn]:
    """Return the plug-ins of one package; raises whatever its files are wrong with."""
    if "feedsway." not in (dist.read_text("entry_points.txt") or ""):
        return []
    points = [point for point in dist.entry_points if point.group in NOUNS]
    if not points:
        return []
    package, version = dist.metadata["Name"], dist.metadata["Version"]
    if not (package and version):
        raise ValueError("its METADATA has no Name or no Version")
    for point in points:
        if not point.module.strip():
            raise ValueError(f"its entry point {point.name} names no module")
    return [PlugIn(NOUNS[each.group], each.name, package, version, each) for each in points]


def _find_name(dist: Distribution) -> str | None:
    try:
        return dist.metadata["Name"] or None
    except Exception:  # noqa: BLE001 - its files are broken
        return None


@cache
def _installed(group: str) -> tuple[PlugIn, ...]:
    kind = NOUNS[group]
    found = (each for each in _declared() if isinstance(each, PlugIn) and each.kind == kind)
    return tuple(sorted(found, key=lambda each: each.name))


@cache
def _load(plug_in: PlugIn) -> object:
    try:
        with print_to_stderr():
            return plug_in.target.load()
    except RAISED as error:
        problem = f"loading it fails with {plug_in.tell_error(error)}"
        module, attribute = plug_in.target.module, plug_in.target.attr.partition(".")[0]
        fix = f"python -c 'from {module} import {attribute or '*'}'"
        raise PlugInBroken(plug_in.label, problem, fix) from error


@cache
def _hash_code(plug_in: PlugIn) -> str:
    return hash_package(plug_in.target.dist, plug_in.target.module)
