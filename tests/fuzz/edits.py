"""Small changes of an input, as values that a seed or hypothesis draws."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from random import Random
from typing import Any

LONGEST = 1 << 16
"""Bytes of an input."""
SCALARS: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2**31, 2**63, 2**64, 10**400, 1e308, 5e-324, -0.0,
    float("nan"), float("inf"), float("-inf"), "", "0", "-1", "9" * 40, "\ud800", "\0", "\u202e",
    "a" * 5000, "../../x", "/etc/passwd", "9999-12-31T23:59:59.999999+00:00",
    "0001-01-01T00:00:00+23:59", "1970-01-01", "https://[x/", "=1+1", [], {}, [[]], {"": None},
    "yes", "no", "2.7K", "İ", "\u2028", "1e5000", "٣", 253402300800, "\r", " ", 0.1, 10**15,
)  # fmt: skip
TOML_VALUES = (
    "0x" + "f" * 4000, "nan", "inf", "-inf", "-0", "1e999", '"\\u0000"', "[]", "{}", "true", "-1",
    "9223372036854775808", "0", '""', '"a"', "1979-05-27T07:32:00Z", "07:32:00", "1979-05-27",
    '["a", "a"]', "[[]]", '"' + "a" * 400 + '"', "[[[[[[[[]]]]]]]]", "0.5",
    '"a{99999999999999999999}"', '"10:00Z-11:00"', '"("', '"99999999999999d"', '"../x"',
    '"\\u202e"', '"[x"', "{a = {}}",
)  # fmt: skip
BYTES = (
    b"\0", b"\xff", b"\xed\xa0\x80", b"\n", b"\r\n", b"\xef\xbb\xbf", b"\xff\xfe", b'"', b"'", b",",
    b";", b"\t", b"{", b"}", b"[", b"]", b"-", b"\\u0000", b"9" * 4400, b"0x", b"NaN", b"1e999",
    b"\xe2\x80\xa8", b"=", b"#", b"%00", b"&", b"?", b"..", b"/", b"\x7f\xff\xff\xff", b"\xff" * 8,
    b"[" * 3000, b'{"a":' * 500,
)  # fmt: skip


@dataclass(frozen=True)
class Edit:
    """One change: which kind, where, how much, and what is put there."""

    how: int
    at: int
    size: int
    what: int


def draw_edits(rng: Random) -> list[Edit]:
    """Draw a few changes."""
    return [
        Edit(
            rng.randrange(64),
            rng.randrange(1 << 20),
            rng.randrange(1 << 20),
            rng.randrange(1 << 20),
        )
        for _ in range(rng.choice((1, 1, 2, 3, 5, 8)))
    ]


def apply_edits(
    content: bytes, edits: Iterable[Edit], kind: str, words: tuple[str, ...], other: bytes = b""
) -> bytes:
    """Change an input; the same edits change the same input in the same way."""
    for edit in edits:
        content = _apply(content, edit, kind, words, other)[:LONGEST]
    return content


def _apply(content: bytes, edit: Edit, kind: str, words: tuple[str, ...], other: bytes) -> bytes:
    if edit.how % 4:  # three of four know the format
        if kind == "json" and (changed := _json(content, edit, words)) is not None:
            return changed
        if kind == "lines":
            return _lines(content, edit, words)
        if kind == "toml":
            return _toml(content, edit, words)
    return _bytes(content, edit, words, other)


def _bytes(content: bytes, edit: Edit, words: tuple[str, ...], other: bytes) -> bytes:
    at = edit.at % (len(content) + 1)
    end = at + edit.size % 32
    match edit.how // 4 % 8:
        case 0:
            bit = 1 << edit.size % 8
            return (
                content[:at]
                + bytes(byte ^ bit for byte in content[at : at + 1])
                + content[at + 1 :]
            )
        case 1:
            return content[:at] + content[end:]
        case 2:
            return content[:at] + content[at:end] + content[at:]
        case 3:
            return content[:at] + BYTES[edit.what % len(BYTES)] + content[at:]
        case 4 if words:
            return (
                content[:at]
                + words[edit.what % len(words)].encode(errors="surrogatepass")
                + content[at:]
            )
        case 5:  # far more of the same, which finds what takes too long
            piece = content[at:end] or b" "
            return content[:at] + piece * (1 + edit.what % (20_000 // len(piece))) + content[end:]
        case 6:
            return content[:at] + other[edit.size % (len(other) + 1) :]
        case _:
            return content[:at] + bytes([edit.what % 256]) + content[at + 1 :]


def _lines(content: bytes, edit: Edit, words: tuple[str, ...]) -> bytes:
    lines = content.split(b"\n")
    at = edit.at % len(lines)
    match edit.how // 4 % 6:
        case 0:
            lines.insert(at, lines[edit.size % len(lines)])
        case 1:
            del lines[at]
        case 2:
            other = edit.size % len(lines)
            lines[at], lines[other] = lines[other], lines[at]
        case _:
            changed = _json(lines[at], Edit(edit.how, edit.size, edit.at // 7, edit.what), words)
            lines[at] = lines[at] if changed is None else changed
    return b"\n".join(lines)


_VALUE = re.compile(r"=[^\n]*")


def _toml(content: bytes, edit: Edit, words: tuple[str, ...]) -> bytes:
    lines = content.decode(errors="replace").split("\n")
    at = edit.at % len(lines)
    match edit.how // 4 % 5:
        case 0:
            lines.insert(at, lines[edit.size % len(lines)])
        case 1:
            del lines[at]
        case 2 if words:
            word = words[edit.what % len(words)]
            lines.insert(
                at, word if "=" in word or "[" in word else f"{word} = {_toml_value(edit.size)}"
            )
        case _:
            value = _toml_value(edit.what)
            lines[at] = _VALUE.sub(lambda _: f"= {value}", lines[at], count=1)
    return "\n".join(lines).encode()


def _toml_value(number: int) -> str:
    return TOML_VALUES[number % len(TOML_VALUES)]


def _json(content: bytes, edit: Edit, words: tuple[str, ...]) -> bytes | None:
    try:
        root = [json.loads(content)]
        places = list(_places(root))
    except (ValueError, RecursionError):
        return None
    parent, key = places[edit.at % len(places)]
    value = SCALARS[edit.what % len(SCALARS)]
    match edit.how // 4 % 8:
        case 0 if len(places) > 1:
            parent, key = places[1 + edit.at % (len(places) - 1)]
            del parent[key]
        case 1:
            parent[key] = [parent[key]] if edit.size % 2 else {"data": parent[key]}
        case 2:
            other, there = places[edit.size % len(places)]
            parent[key] = json.loads(json.dumps(other[there]))
        case 3 if isinstance(parent, dict) and words:
            parent[words[edit.size % len(words)]] = value
        case 4 if isinstance(parent, dict):
            parent[words[edit.size % len(words)] if words else "x"] = parent.pop(key)
        case 5 if isinstance(parent[key], list):
            parent[key] = parent[key] * (edit.size % 50)
        case 6 if words:
            parent[key] = words[edit.size % len(words)]
        case _:
            parent[key] = value
    try:
        return json.dumps(root[0], ensure_ascii=bool(edit.size % 3)).encode(errors="surrogatepass")
    except RecursionError:
        return None


def _places(node: Any) -> Iterable[tuple[Any, Any]]:
    waiting = [node]
    while waiting:
        one = waiting.pop()
        keys: Iterable[Any] = list(one) if isinstance(one, dict) else range(len(one))
        for key in keys:
            yield one, key
            if isinstance(one[key], dict | list):
                waiting.append(one[key])
