"""Captions that people have written, and some that attack what shows them; more by a seed."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator

CAPTIONS = (
    "[/s]",
    "AC[/]DC",
    "[/10]",
    "[official video]",
    "[bold red]sale[/bold red]",
    ":smile: [link=x]",
    "\x1b[2J\x1b[H",
    "\x1b]52;c;cm0gLXJm\x07",
    "\x1b]0;title\x1b\\",
    "\x9b31m",
    "\x9d52;c;AA\x9c",
    "\rroot@host:~#",
    "a\x08\x08b",
    "\x00",
    "a\u202egnp.exe",
    "\u2066isolated",
    "\u2028second line",
    "\ud800",
    "x\udfff\udc00",
    "\udb40\udc41",
    "\U000e0041\U000e0042",
    "<!--<script>",
    "=1+1",
    "%s %n {0} {x!r}",
    "\\x1b[31m",
    "\n\n\n",
    "",
    " ",
    "語" * 90,
    "👩‍👩‍👧‍👦",
    "e\u0301" * 40,
    "a" * 5_000,
)
_PIECES = (
    "[",
    "]",
    "[/",
    "[/]",
    "\\[",
    "[@click=x]",
    "\x1b",
    "\x1b[",
    "\x1b]8;;",
    "\x07",
    "\x1bP",
    "\x9b",
    "m",
    ";",
    "?25l",
    "6n",
    "\n",
    "\r",
    "\t",
    "\0",
    "\u202e",
    "\u2069",
    "\u200f",
    "\ud83d",
    "\ude00",
    "<",
    "<!--",
    "</script>",
    "{",
    "}",
    '"',
    "'",
    "\\",
    "語",
    "🙂",
    "caption",
    "#tag",
    "@name",
    " ",
)
STEERS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u2028\u2029]")
OURS = re.compile(r"\x1b\[(?:\??[\d;]*)[mKAHJhl]|\r")
"""What rich and we write to colour words and to move the cursor."""


def captions(seed: int, number: int) -> Iterator[str]:
    """The known ones, then as many at random as are asked for."""
    yield from CAPTIONS
    draw = random.Random(seed)
    for _ in range(number - len(CAPTIONS)):
        pieces = (
            draw.choice(_PIECES) if draw.random() < 0.8 else chr(draw.randrange(0x110000))
            for _ in range(draw.randrange(1, 30))
        )
        yield "".join(pieces)
