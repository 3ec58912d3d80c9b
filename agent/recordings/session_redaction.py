"""What of a site's session may be written: lists of what stays, pseudonyms for all else."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from agent.recordings.allow_list import Kind, read_allow_list
from agent.recordings.named_texts import NamedTexts
from agent.recordings.recording_file import MARKUP_NAME
from agent.recordings.word_pseudonyms import RUN, WordPseudonyms

DEEPEST = 64
"""Levels of a body that are kept."""
VIDEO_FIELDS: dict[str, Kind] = {
    "id": "pseudonym",
    "url": "address",
    "author": "pseudonym",
    "author_name": "pseudonym",
    "caption": "words",
    "hashtags": "pseudonym",
    "likes": "number",
    "comments": "number",
    "views": "number",
    "duration_s": "number",
    "ad": "number",
    "live": "number",
    "batch": "number",
    "batch_requested_at": "number",
}
"""Fields of a described video that a recording tells, by what becomes of them."""
_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_COUNT = r"\d{1,3}(?:\.\d)?[KMB]|\d{1,3}(?:,\d{3})+|\d{1,4}"
_COUNT_ALONE = re.compile(_COUNT)
_TOKEN = re.compile(rf"(?P<count>(?:{_COUNT})(?![\w.,]*\w))|\w+")
_ORDINARY = re.compile(r"[\w\s!-~‘’“”…·–—]*")
_NUMBER = re.compile(r"-?\d{1,15}(?:\.\d{1,6})?")
_SMALL_VALUE = re.compile(r"\d{1,4}|true|false")
_PLACE = re.compile(r"\d{1,3}")
_ATTRIBUTE = re.compile(MARKUP_NAME)
_MOST_FIELDS = 200
_MOST_NUMBER = 10**15


class Redaction:
    """Turns what a site said into what is written; the same thing becomes the same everywhere."""

    def __init__(self, origins: Mapping[str, str]) -> None:
        """Take the origins that stand for another: a skin's, for its site's."""
        self._origins = origins
        self._pseudonyms = WordPseudonyms()
        self._stays = read_allow_list()
        self._named = NamedTexts()

    def learn(self, value: Any, key: str = "", parent: str = "") -> None:
        """Know a body's names and captions, before anything of the session is written."""
        waiting = [(value, key, parent)]
        while waiting:
            value, key, parent = waiting.pop()
            if isinstance(value, dict):
                waiting += [(each, str(name), key) for name, each in value.items()]
            elif isinstance(value, list | tuple):
                waiting += [(each, key, parent) for each in value]
            elif isinstance(value, str):
                self._learn_text(value, self._stays.kind_of(parent, key) or VIDEO_FIELDS.get(key))

    def _learn_text(self, text: str, kind: Kind | None) -> None:
        if kind == "words":
            self._named.add_caption(text)
        elif kind == "pseudonym":
            self._named.add_name(text)

    def pseudonym(self, text: str) -> str:
        """Replace every word."""
        return self._pseudonyms.replace(text)

    def label(self, text: str, *, whole: bool = True) -> str:
        """Keep a text of known words and one count, as of a button; else replace every word.

        A text that names somebody, or is of a caption, is replaced. ``whole``: false for a part of
        a page's text, which may be a part of a caption.
        """
        stays = _is_of_buttons(text) and not self._named.tells(text, part=not whole)
        return text if stays else self._pseudonyms.replace(text)

    def identifier(self, text: str) -> str:
        """Keep runs made of known words, and one small number; replace all other runs."""
        if " " in text.strip():
            return self.label(text)
        if self._is_name(text):
            return self._pseudonyms.replace(text)
        small = [run for run in RUN.findall(text) if _PLACE.fullmatch(run)]
        kept = set(small) if len(small) == 1 else set()
        return self._by_run(text, kept)

    def _is_name(self, text: str) -> bool:
        """Whether a text is a name; a hashtag of one listed word is a word like any other."""
        return text.lower() not in self._stays.words and self._named.is_name(text)

    def _by_run(self, text: str, kept: set[str]) -> str:
        pieces, end = [], 0
        for run in RUN.finditer(text):
            stays = run[0] in kept or _is_of_words(run[0])
            pieces.append(self._pseudonyms.replace(text[end : run.start()]))
            pieces.append(run[0] if stays else self._pseudonyms.replace(run[0]))
            end = run.end()
        return "".join([*pieces, self._pseudonyms.replace(text[end:])])

    def address(self, address: str) -> str:
        """Keep a known host, known words of the path and listed parts of the query."""
        try:
            parts = urlsplit(address)
            host, port = parts.hostname or "", parts.port
        except ValueError:
            return ""
        if parts.scheme not in ("http", "https", ""):
            return ""
        origin = self._origins.get(f"{parts.scheme}://{host}{f':{port}' if port else ''}")
        if origin is None and host:
            origin = f"https://{self._host(host)}"
        path = "/".join(self._steps(parts.path, personal=not host or self._is_personal(origin)))
        path = path or ("/" if origin else "")
        query = urlencode(self._query(parts.query))
        return f"{origin or ''}{path}{'?' if query else ''}{query}"

    def _host(self, host: str) -> str:
        for known in self._stays.hosts:
            if host == known or host.endswith(f".{known}"):
                label = host.removesuffix(known).rstrip(".")
                return host if not label or self.identifier(label) == label else known
        return "elsewhere.invalid"

    def _is_personal(self, origin: str | None) -> bool:
        """Whether the first part of a path is an account there, if it is no route."""
        host = urlsplit(origin or "").hostname or ""
        return any(host == one or host.endswith(f".{one}") for one in self._stays.personal)

    def _steps(self, path: str, *, personal: bool) -> list[str]:
        """Redact the parts of a path; ``personal``: its first part is an account or a route."""
        steps = path.split("/")
        routes = self._stays.routes | self._stays.naming
        first = personal and len(steps) > 1 and steps[1] not in routes and "@" not in steps[1]
        named = [before in self._stays.naming for before in ["", *steps[:-1]]]
        return [
            self._pseudonyms.replace(unquote(step))
            if told or (first and number == 1)
            else self._segment(step)
            for number, (step, told) in enumerate(zip(steps, named, strict=True))
        ]

    def _segment(self, segment: str) -> str:
        plain = unquote(segment)
        named = plain not in self._stays.routes and self._is_name(plain)
        if plain.startswith("@") or named:
            return quote(self._pseudonyms.replace(plain), safe="@.-_~")
        return quote(self._by_run(plain, set()), safe="@.-_~")

    def _query(self, query: str) -> list[tuple[str, str]]:
        try:
            fields = parse_qsl(query, max_num_fields=_MOST_FIELDS)
        except ValueError:
            return []
        return [
            (name, value if _SMALL_VALUE.fullmatch(value) else self.identifier(value))
            for name, value in fields
            if name in self._stays.query
        ]

    # Bodies

    def body(self, value: Any) -> Any:
        """Return JSON of the same shape, with the values that are listed."""
        return self._json(value, "", "", DEEPEST)

    def _json(self, value: Any, key: str, parent: str, depth: int) -> Any:
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, dict | list) and not depth:
            return None
        if isinstance(value, dict):
            return {
                self._key(str(name)): self._json(each, str(name), key, depth - 1)
                for name, each in value.items()
            }
        if isinstance(value, list):
            return [self._json(each, key, parent, depth - 1) for each in value]
        kind = self._stays.kind_of(parent, key)
        return self._text(value, kind) if isinstance(value, str) else self._number(value, kind)

    def _key(self, key: str) -> str:
        return key if key in self._stays.keys else self.identifier(key)

    def _text(self, value: str, kind: Kind | None) -> str:
        if kind == "pseudonym" or (kind == "words" and not _COUNT_ALONE.fullmatch(value)):
            return self.pseudonym(value)
        if kind == "label":
            return self.label(value)
        if kind == "identifier":
            return self.identifier(value)
        if kind == "address":
            return self.address(value)
        if kind == "words" or (kind == "number" and _NUMBER.fullmatch(value)):
            return value
        return _placeholder(value)

    def _number(self, value: int | float, kind: Kind | None) -> float | None:
        if isinstance(value, float) and not math.isfinite(value):
            return None
        if kind == "number" and abs(value) < _MOST_NUMBER:
            return value
        if isinstance(value, float):
            return 0.0 if value == 0 else 1.5
        digits = str(abs(value))
        made = (
            self._pseudonyms.replace(digits) if kind == "pseudonym" else "1" + "0" * len(digits[1:])
        )
        return 0 if value == 0 else int(made) * (1 if value > 0 else -1)

    def request(self, sent: str | None) -> str | None:
        """Return what a page sent, as JSON or a form with the fields that are listed."""
        if sent is None:
            return None
        body = _read_json(sent)
        if isinstance(body, dict | list):
            return json.dumps(self.body(body))
        try:
            fields = dict(parse_qsl(sent, max_num_fields=_MOST_FIELDS))
        except ValueError:
            return ""
        kept = {name: text for name, text in fields.items() if name in self._stays.form}
        if "variables" in kept:
            kept["variables"] = json.dumps(self.body(_read_json(kept["variables"])))
        return urlencode(
            {
                name: text if name == "variables" else self.identifier(text)
                for name, text in kept.items()
            }
        )

    # Pages and videos

    def tag(self, name: str) -> str:
        return name if name in self._stays.tags else self.identifier(name)

    def attributes(self, given: Mapping[str, str]) -> dict[str, str]:
        """Return the attributes that stay; of others nothing is written, not even the name."""
        kinds = {name: self._stays.attributes.get(name) for name in given}
        kinds |= {name: "identifier" for name in given if self._is_marking(name)}
        return {
            name: self._text(given[name], kind)
            for name, kind in kinds.items()
            if kind and _ATTRIBUTE.fullmatch(name)
        }

    def _is_marking(self, name: str) -> bool:
        marks = name.startswith(("data-", "aria-")) and name not in self._stays.attributes
        return marks and all(map(_is_of_words, RUN.findall(name)))

    def video(self, described: Mapping[str, Any]) -> dict[str, Any]:
        """Return the told fields of a described video."""
        return {name: self._field(described.get(name), kind) for name, kind in VIDEO_FIELDS.items()}

    def _field(self, value: Any, kind: Kind) -> Any:
        if isinstance(value, Sequence) and not isinstance(value, str):
            return [self._field(each, kind) for each in value]
        return self._text(value, kind) if isinstance(value, str) else value


def _is_of_words(run: str) -> bool:
    parts = _PART.findall(run)
    letters = [part.lower() for part in parts if not part.isdigit()]
    whole = "".join(parts) == run.replace("_", "")
    short = all(len(part) <= 3 for part in parts if part.isdigit())
    return whole and short and bool(letters) and read_allow_list().words.issuperset(letters)


def _is_of_buttons(text: str) -> bool:
    if any(mark in text for mark in "#@/") or not _ORDINARY.fullmatch(text):
        return False
    tokens = list(_TOKEN.finditer(text))
    counts = [token for token in tokens if token["count"]]
    words = [token[0].lower() for token in tokens if not token["count"]]
    return len(counts) <= 1 and read_allow_list().words.issuperset(words)


def _placeholder(value: str) -> str:
    """Return a value's kind and length class, a power of two."""
    if not value:
        return ""
    kinds = {
        "digits": r"\d+",
        "hex": r"[0-9a-fA-F]+",
        "address": r"https?://.*",
        "base64": r"[\w+/=-]{16,}",
        "json": r"\s*[\[{].*",
    }
    kind = next(
        (name for name, shape in kinds.items() if re.fullmatch(shape, value, re.DOTALL)), "text"
    )
    return f"{kind}~{1 << (len(value) - 1).bit_length()}"


def _read_json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
