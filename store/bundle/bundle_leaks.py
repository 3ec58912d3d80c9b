"""Searches what goes into a bundle for names of people, paths of this machine and secrets."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Collection, Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from store.bundle.errors import BadBundle
from store.bundle.figure_tables import read_rows
from store.bundle.public_lines import ACCOUNT
from store.dataset.leaks import is_excused, words_of
from store.dataset.pseudonyms import Pseudonyms
from store.runs.data_folder import DataFolder

_SECRET_NAME = re.compile(r"KEY|TOKEN|SECRET|PASSWORD|CREDENTIAL", re.I)
_SHORTEST = 8
"""Letters of a secret, a path or an account that is looked for."""
_PLAIN = re.compile(
    r"[0-9a-f]{64}|[0-9a-f]{32}|(creator|video)-[0-9a-f]{12}|-?\d{0,7}|-?\d+\.\d+(e[+-]\d+)?"
    r"|\d{4}-\d\d-\d\dT[\d:.]+(Z|[+-]\d\d:\d\d)"
)
"""Hashes, pseudonyms, numbers and times, which name nobody."""
_HASHES = ("phash", "sha256", "code_sha256")
_MOST_KNOWN = 100_000
"""Texts that were searched and are remembered, since most come often."""


class LeakSearch:
    """Looks for what may not be told; ``names`` are ``None`` where handles stay."""

    def __init__(
        self,
        data: DataFolder,
        names: Pseudonyms | None,
        accounts: Iterable[str] = (),
        own: Collection[str] = (),
    ) -> None:
        self._names = names
        self._excused = _program_words() | words_of(*own)
        self._secrets = {text for text in _secrets(data) if len(text) >= _SHORTEST}
        if names is not None:
            long = {account for account in accounts if len(account) >= _SHORTEST}
            self._secrets |= {one for one in long if not is_excused(one, self._excused)}
        self._known: set[str] = set()

    def refuse(self, place: str, path: Path) -> None:
        """Search a file, and the place that it gets; raises ``BadBundle``."""
        self._refuse_text(place, place)
        for number, text in _texts(path):
            self._refuse_text(text, f"{place}, line {number}")

    def _refuse_text(self, text: str, place: str) -> None:
        if text in self._known or _PLAIN.fullmatch(text):
            return
        bare = ACCOUNT.sub(" ", text)
        if any(secret in bare for secret in self._secrets) or self._names_somebody(text):
            raise BadBundle.leak(place)
        if len(self._known) < _MOST_KNOWN:
            self._known.add(text)

    def _names_somebody(self, text: str) -> bool:
        if self._names is None:
            return False
        return any(not is_excused(name, self._excused) for name in self._names.left_in(text))


def _secrets(data: DataFolder) -> Iterator[str]:
    """Give what no bundle may hold: this machine's folders, and secrets of this process."""
    for folder in (Path.home(), data.root.absolute(), data.root.resolve(), Path.cwd()):
        if len(folder.parts) > 2:  # a folder such as /data is a word of many texts
            yield str(folder)
    yield from (value for name, value in os.environ.items() if _SECRET_NAME.search(name))
    if data.pseudonym_key.is_file():
        yield data.pseudonym_key.read_text().strip()


@cache
def _program_words() -> frozenset[str]:
    """Every word of the programs that write ledgers and tables."""
    top = Path(__file__).parents[2]
    paths = [path for name in ("analysis", "store") for path in (top / name).rglob("*.py")]
    return frozenset(words_of(*{word for path in paths for word in _split(path)}))


def _split(path: Path) -> set[str]:
    return set(re.findall(r"\w+", path.read_text("utf-8")))


def _texts(path: Path) -> Iterator[tuple[int, str]]:
    """Every text of a file, with its line."""
    if path.suffix == ".csv":
        rows = enumerate(read_rows(path), 1)
        yield from ((number, cell) for number, row in rows for cell in row)
        return
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if path.suffix == ".jsonl":
                yield from ((number, text) for text in _strings(json.loads(line)))
            else:
                yield number, line.decode("utf-8", "replace").strip()


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, each in value.items():
            yield name
            if name not in _HASHES:
                yield from _strings(each)
    elif isinstance(value, list):
        for each in value:
            yield from _strings(each)
