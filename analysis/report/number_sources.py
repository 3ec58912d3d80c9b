"""Numbers that say where they come from: the only way for a number into the report.

A ``TracedNumber`` holds a number as it is printed, and its ``NumberSource``: the function that
made it, the rows that went in and the rows that did not. ``Traces.shown`` is what the templates
print values with. It turns a ``TracedNumber`` into a link to its source, and refuses any other
number, also one inside a string, unless it is a ``Name`` (an identifier, or a quotation).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

from markupsafe import Markup, escape

from analysis.statistics.estimate import NAN, Estimate, percentile_text
from store.terminal.printing import share_text

MINUS, DASH = "\N{MINUS SIGN}", "\N{EN DASH}"
SMALLEST_P = 1e-4


class UntracedNumber(TypeError):
    """A number on its way into the report that does not say where it comes from."""

    def __init__(self, value: object) -> None:
        super().__init__(f"{value!r} reached the report without a source")


class NumberForm(Protocol):
    """How a number is printed: a method of its source."""

    def __call__(self, value: float, what: str, *, reason: str) -> TracedNumber: ...


@dataclass(frozen=True)
class NumberSource:
    """Where numbers come from."""

    function: str  # what made them, as a dotted name below ``analysis``, or in words
    used: str  # used, left_out: rows that went in and rows that did not, in words with their counts
    left_out: str = "nothing"

    def pp(self, value: float, what: str, reason: str = "") -> TracedNumber:
        return self._told(value, f"{value:+.1f}", what, reason)

    def percent(self, value: float, what: str, reason: str = "") -> TracedNumber:
        """A share of 100; a decimal more where it would else round to none or to all."""
        return self._told(value, _share(value, 1), what, reason)

    def whole(self, value: float, what: str, reason: str = "") -> TracedNumber:
        """A share of 100 without decimals, save where it would else round to none or to all."""
        return self._told(value, _share(value, 0), what, reason)

    def signed(self, value: float, what: str, reason: str = "") -> TracedNumber:
        return self._told(value, f"{value:+.0f}", what, reason)

    def count(self, value: float, what: str) -> TracedNumber:
        return self._told(value, f"{value:,.0f}", what)

    def decimal(self, value: float, what: str, digits: int = 2, reason: str = "") -> TracedNumber:
        return self._told(value, f"{value:.{digits}f}", what, reason)

    def setting(self, value: float, what: str) -> TracedNumber:
        """A number that somebody declared, as short as it can be written."""
        return self._told(value, f"{value:g}", what)

    def p(self, value: float, what: str, reason: str = "") -> TracedNumber:
        """A p-value with its relation: ``= 0.013`` or ``< 0.0001``."""
        text = f"= {value:.2g}" if not value < SMALLEST_P else f"< {SMALLEST_P:.4f}"
        return self._told(value, text, what, reason)

    def percentile(self, value: float, what: str, reason: str = "") -> TracedNumber:
        """A share of draws, with the decimals that tell it from none and from all."""
        text = "" if math.isnan(value) else percentile_text(value)
        return self._told(value, text, f"{what}: share of the draws below", reason)

    def words(self, text: str) -> TracedNumber:
        """A sentence of a function that holds numbers of its own."""
        return TracedNumber(NAN, text, "in words", self)

    def estimate(
        self, estimate: Estimate, what: str, form: NumberForm | None = None
    ) -> PrintedEstimate:
        """An estimate as its unit is printed, or in a ``form`` such as ``signed``."""
        forms: dict[str, NumberForm] = {"pp": self.pp, "points": self.pp, "%": self.percent}
        unit = form or forms.get(estimate.unit, self.decimal)
        return PrintedEstimate(
            value=unit(estimate.value, what, reason=estimate.reason),
            low=unit(estimate.low, f"{what}: lower end", reason=estimate.reason),
            high=unit(estimate.high, f"{what}: upper end", reason=estimate.reason),
            level=self.whole(100 * estimate.level, f"{what}: nominal coverage of the interval"),
            clusters=self.count(estimate.clusters, f"{what}: independent units"),
            exists=estimate.exists,
            bounded=estimate.bounded,
            unit=estimate.unit,
            reason=estimate.reason,
        )

    def _told(self, value: float, text: str, what: str, reason: str = "") -> TracedNumber:
        if math.isnan(value):
            return TracedNumber(NAN, DASH, f"{what}: {reason or 'does not exist'}", self)
        return TracedNumber(float(value), _tidy(text), what, self)


@dataclass(frozen=True)
class TracedNumber:
    """One number as it is printed."""

    value: float  # ``nan`` where it does not exist; ``what`` then ends in the reason
    text: str
    what: str  # what it is a number of
    source: NumberSource

    @property
    def exists(self) -> bool:
        return not math.isnan(self.value)


@dataclass(frozen=True)
class PrintedEstimate:
    """An estimate, ready to be printed: value, interval, nominal level in %, and why not."""

    value: TracedNumber
    low: TracedNumber
    high: TracedNumber
    level: TracedNumber
    clusters: TracedNumber
    exists: bool
    bounded: bool
    unit: str
    reason: str


@dataclass(frozen=True)
class Name:
    """An identifier or a quotation: its digits are no results."""

    text: str

    def __str__(self) -> str:
        return self.text


@dataclass
class Traces:
    """Numbers the sources, and counts the numbers, in the order of the page.

    Sources that a note points to are numbered in the order of the notes, from 1 on; those that
    only links lead to follow them in the list.
    """

    numbers: list[TracedNumber] = field(default_factory=list)
    _places: dict[NumberSource, int] = field(default_factory=dict)
    _notes: dict[NumberSource, int] = field(default_factory=dict)

    def shown(self, value: object) -> object:
        """Print one value of a template.

        Raises ``UntracedNumber``: it is a number, or text with one, that has no source.
        """
        if isinstance(value, TracedNumber):
            return self._link(value)
        if isinstance(value, Name):
            return Markup('<span class="id">{}</span>').format(value.text)
        if isinstance(value, Markup):
            return value
        if isinstance(value, str) and not re.search(r"\d", value):
            return value.replace("'", "\N{RIGHT SINGLE QUOTATION MARK}")
        raise UntracedNumber(value)

    def dense(self, number: TracedNumber) -> Markup:
        """A number of a large table: the link without the words that hovering shows."""
        self.numbers.append(number)
        return Markup('<a class="n" id="n-{}" tabindex="-1" href="#from-{}">{}</a>').format(
            len(self.numbers), self.place(number.source), number.text
        )

    def note(self, source: NumberSource) -> Markup:
        number = self._notes.setdefault(source, len(self._notes) + 1)
        link = '<a class="ref" href="#from-{0}" aria-label="source {1}">{1}</a>'
        return Markup(link).format(self.place(source), number)

    def place(self, source: NumberSource) -> int:
        """Return what the source is linked by."""
        return self._places.setdefault(source, len(self._places) + 1)

    def sources(self) -> Iterator[tuple[int, NumberSource]]:
        """Yield the sources as they are listed, each with what it is linked by."""
        listed = [*self._notes, *(one for one in self._places if one not in self._notes)]
        return iter([(self._places[source], source) for source in listed])

    def number_all(self) -> tuple[tuple[int, TracedNumber], ...]:
        """Return every number of the page with the place of its source in the list."""
        listed = {source: place for place, (_, source) in enumerate(self.sources(), 1)}
        return tuple((listed[one.source], one) for one in self.numbers)

    def _link(self, number: TracedNumber) -> Markup:
        self.numbers.append(number)
        source = number.source
        hint = f"{number.what}. {source.function}. In: {source.used}. Out: {source.left_out}."
        return Markup('<a class="n" id="n-{}" href="#from-{}" title="{}">{}</a>').format(
            len(self.numbers), self.place(source), escape(hint), number.text
        )


def _share(value: float, digits: int) -> str:
    return "" if math.isnan(value) else share_text(value, digits)


def placed(percentile: float) -> str:
    """Where a value lies among draws: ``within`` them, or ``above`` or ``below`` all of them."""
    return {0.0: "below", 100.0: "above"}.get(percentile, "within")


def _tidy(text: str) -> str:
    """A typographic minus, and no sign on what rounds to nothing."""
    return text.lstrip("+-") if not re.search(r"[1-9]", text) else text.replace("-", MINUS)
