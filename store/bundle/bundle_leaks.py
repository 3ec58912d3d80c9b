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
from store.privacy.person_names import skeleton
from store.runs.data_folder import DataFolder

_SECRET_NAME = re.compile(r"KEY|TOKEN|SECRET|PASSWORD|CREDENTIAL", re.I)
_SHORTEST = 8
"""Letters of a secret, a path or an account that is looked for."""
_SECRET = re.compile(
    r"[a-z][a-z0-9+.-]*://[^\s/@:]*:[^\s/@]+@"  # the password of an address
    r"|\b(sk-[\w-]{16,}|hf_\w{20,}|gh[opsu]_\w{20,}|AIza[\w-]{30,}|AKIA[A-Z0-9]{16}\b)"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY",
    re.I,
)
"""Passwords and keys of services, whosever they are."""
_HOME = r"(?<!\w)/(root|home/[\w.-]+|Users/[\w.-]+)(?![\w-])|\b[A-Za-z]:\\Users\\"
"""Folders of people on any machine."""
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
        self._own = _OwnWords(own)
        self._secrets = {text for text in _secrets(data) if len(text) >= _SHORTEST}
        self._paths = path_pattern(data)
        long = {one for one in accounts if len(one) >= _SHORTEST} if names is not None else set()
        self._accounts = {one for one in long if not self._own.excuse(one)}
        self._known: set[str] = set()

    def refuse(self, place: str, path: Path) -> None:
        """Search a file, and the place that it gets; raises ``BadBundle``."""
        self._refuse_text(place, place)
        for number, text in _texts(path):
            self._refuse_text(text, f"{place}, line {number}")

    def _refuse_text(self, text: str, place: str) -> None:
        if text in self._known:
            return
        bare = ACCOUNT.sub(" ", text)
        if _SECRET.search(bare) or any(secret in bare for secret in self._secrets):
            raise BadBundle.leak(place, "a secret", of_people=False)
        if self._paths.search(bare):
            raise BadBundle.leak(place, "a path of a machine", of_people=False)
        if not _PLAIN.fullmatch(text) and self._names_somebody(text, bare):
            raise BadBundle.leak(place, "a name", of_people=True)
        if len(self._known) < _MOST_KNOWN:
            self._known.add(text)

    def _names_somebody(self, text: str, bare: str) -> bool:
        if self._names is None:
            return False
        if any(account in bare for account in self._accounts):
            return True
        return not all(map(self._own.excuse, self._names.left_in(text)))


class _OwnWords:
    """Words of the programs and of those who made a study, which may be called like somebody."""

    def __init__(self, texts: Collection[str]) -> None:
        self._words = _program_words() | words_of(*texts)
        self._texts = [_program_text(), *map(_spell, texts)]

    def excuse(self, name: str) -> bool:
        """Tell whether a name is a word of ours; one of several words must stand there whole."""
        spelled = _spell(name)
        alone = len(spelled.split()) == 1 or not spelled.strip("0123456789 ")
        if alone:
            return is_excused(name, self._words)
        return any(spelled in text for text in self._texts)


def path_pattern(data: DataFolder) -> re.Pattern[str]:
    """Return what finds the folders of this machine, and homes on any other."""
    folders = {Path.home(), data.root.absolute(), data.root.resolve(), Path.cwd()}
    # a folder such as /data is a word of many texts
    own = {str(each) for each in folders if len(each.parts) > 2}
    long = sorted(text for text in own if len(text) >= _SHORTEST)
    return re.compile("|".join([_HOME, *map(re.escape, long)]))


def _secrets(data: DataFolder) -> Iterator[str]:
    """Give secrets of this process, and the key of the pseudonyms."""
    yield from (value for name, value in os.environ.items() if _SECRET_NAME.search(name))
    if data.pseudonym_key.is_file():
        yield data.pseudonym_key.read_text().strip()


@cache
def _program_words() -> frozenset[str]:
    """Every word of the programs that write ledgers and tables."""
    return frozenset(_program_text().split())


@cache
def _program_text() -> str:
    """All of these words as they follow each other."""
    top = Path(__file__).parents[2]
    paths = [path for name in ("analysis", "store") for path in sorted((top / name).rglob("*.py"))]
    return _spell("\n".join(path.read_text("utf-8") for path in paths))


def _spell(text: str) -> str:
    """Return the words of a text as names are compared, with a blank around each."""
    words = re.findall(r"\w+", text)
    spelled = {word: skeleton(word) for word in set(words)}
    return f" {' '.join(spelled[word] for word in words)} "


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
