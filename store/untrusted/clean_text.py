"""Strangers' text, made fit to be kept and fit to be shown.

To be kept, a text must be writable as UTF-8 and have an end. To be shown, it may not steer what
shows it: controls (C0, C1; ECMA-48) and what turns the direction of reading (Unicode Standard Annex
9; Boucher and Anderson, "Trojan Source", 2021) are spelled out as JSON spells them.
"""

from __future__ import annotations

import re
from typing import Any

LONGEST_TEXT = 100_000
"""Characters of a kept text; the longest caption of the three sites has some 5,000."""
DEEPEST = 64
"""Levels of lists and objects within each other that are kept of foreign JSON."""
CUT = " …"
"""What stands for the rest of a text that was cut, or of values that lie too deep."""

_UNWRITABLE = re.compile("[\0\ud800-\udfff]")
_STEERING = (
    "\x00-\x08\x0b-\x1f\x7f-\x9f"  # C0 without tab and line feed, delete, C1
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u206f"  # direction of reading
    "\u2028\u2029\ufeff\ufff9-\ufffb"  # separators of lines, marks that have no width
    "\ud800-\udfff\U000e0000-\U000e007f"  # half characters, and tags that nobody sees
)
_UNSHOWABLE = re.compile(f"[{_STEERING}]")
_UNSHOWABLE_IN_LINE = re.compile(f"[\t\n{_STEERING}]")
_SPELLED = {"\t": "\\t", "\n": "\\n", "\r": "\\r"}
_FORMULA = re.compile(r"[=+\-@\t\r]")
_HARMLESS = re.compile(r"(?:= ?)?[+\-−]?\d[\d., a-z%]*|@[\w.]+", re.IGNORECASE)
"""A number with its sign and unit, and a handle: nothing in them is worked out."""


def clean_text(text: str, longest: int = LONGEST_TEXT) -> str:
    """Make a text that files and databases take: no lone surrogate, no NUL, cut with ``CUT``."""
    if len(text) > longest:
        text = text[: longest - len(CUT)] + CUT
    return _UNWRITABLE.sub("\ufffd", text)


def clean_json(value: Any, depth: int = DEEPEST) -> Any:
    """Clean every text in a JSON value, keys too; what lies deeper than ``depth`` is cut."""
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, dict | list | tuple) and not depth:
        return CUT.strip()
    if isinstance(value, dict):
        return {
            clean_text(name) if isinstance(name, str) else name: clean_json(each, depth - 1)
            for name, each in value.items()
        }
    if isinstance(value, list | tuple):
        return type(value)(clean_json(each, depth - 1) for each in value)
    return value


def show_text(text: str) -> str:
    """Make a text that steers no terminal, pipe or log; lines and tabs stay."""
    return _UNSHOWABLE.sub(_spell, text)


def show_line(text: str) -> str:
    """Make a text that steers nothing and stays on one line."""
    return _UNSHOWABLE_IN_LINE.sub(_spell, text)


def show_cell(text: str) -> str:
    """Put an apostrophe before what a spreadsheet takes for a formula (OWASP, "CSV Injection")."""
    if not _FORMULA.match(text) or _HARMLESS.fullmatch(text):
        return text
    return f"'{text}"


def _spell(found: re.Match[str]) -> str:
    character = found[0]
    if character in _SPELLED:
        return _SPELLED[character]
    units = character.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))
