"""Text and numbers as LaTeX, of names that strangers gave.

``pdflatex`` knows few letters beyond ASCII. Accents become commands, and what no command makes is
written as its code point, so that different names stay different.
"""

from __future__ import annotations

import re
import unicodedata

from analysis.report.number_sources import (
    DASH,
    MINUS,
    Name,
    PrintedEstimate,
    TracedNumber,
    UntracedNumber,
)
from store.untrusted.clean_text import show_line

_SIGNS = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "%": r"\%",
    "#": r"\#",
    "_": r"\_",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': "''",
    "`": "{`}",  # in braces: these begin an option, or join with a neighbour
    "[": "{[}",
    "]": "{]}",
    "-": "{-}",
    "*": "{*}",
    MINUS: "$-$",
    DASH: "--",
    "\N{EM DASH}": "---",
    "\N{LEFT SINGLE QUOTATION MARK}": "{`}",
    "\N{RIGHT SINGLE QUOTATION MARK}": "'",
    "\N{MULTIPLICATION SIGN}": r"$\times$",
    "\N{PLUS-MINUS SIGN}": r"$\pm$",
    "\N{LATIN SMALL LETTER SHARP S}": r"\ss{}",
    "\N{LATIN SMALL LETTER AE}": r"\ae{}",
    "\N{LATIN CAPITAL LETTER AE}": r"\AE{}",
    "\N{LATIN SMALL LETTER O WITH STROKE}": r"\o{}",
    "\N{LATIN CAPITAL LETTER O WITH STROKE}": r"\O{}",
    "\N{LATIN SMALL LETTER L WITH STROKE}": r"\l{}",
    "\N{LATIN CAPITAL LETTER L WITH STROKE}": r"\L{}",
}
_ACCENTS = {
    "\N{COMBINING GRAVE ACCENT}": "`",
    "\N{COMBINING ACUTE ACCENT}": "'",
    "\N{COMBINING CIRCUMFLEX ACCENT}": "^",
    "\N{COMBINING TILDE}": "~",
    "\N{COMBINING DIAERESIS}": '"',
    "\N{COMBINING MACRON}": "=",
    "\N{COMBINING DOT ABOVE}": ".",
    "\N{COMBINING BREVE}": "u",
    "\N{COMBINING CARON}": "v",
    "\N{COMBINING DOUBLE ACUTE ACCENT}": "H",
    "\N{COMBINING RING ABOVE}": "r",
    "\N{COMBINING CEDILLA}": "c",
}


class LatexSource(str):
    """Text that is LaTeX already."""

    __slots__ = ()


def escape_latex(text: str) -> LatexSource:
    """Make a text that LaTeX prints as it is, on one line."""
    return LatexSource("".join(map(_character, unicodedata.normalize("NFC", show_line(text)))))


def _character(one: str) -> str:
    if one in _SIGNS:
        return _SIGNS[one]
    if one.isascii():
        return one
    base, *marks = list(unicodedata.normalize("NFD", one))
    if base.isascii() and base.isalpha() and len(marks) == 1 and marks[0] in _ACCENTS:
        return f"\\{_ACCENTS[marks[0]]}{{{base}}}"
    return f"{{[}}U+{ord(one):04X}{{]}}"


def print_latex(value: object) -> LatexSource:
    """Print one value of a LaTeX template.

    Raises ``UntracedNumber``: it is a number, or text with one, that has no source.
    """
    if isinstance(value, LatexSource):
        return value
    if isinstance(value, TracedNumber | Name):
        return escape_latex(value.text)
    if isinstance(value, str) and not re.search(r"\d", value):
        return escape_latex(value)
    raise UntracedNumber(value)


def print_interval(told: PrintedEstimate) -> LatexSource:
    """The ends of an estimate in brackets, or that there are none."""
    if not told.bounded:
        return LatexSource("no interval" if told.exists else "")
    return LatexSource(f"({print_latex(told.low)} to {print_latex(told.high)})")
