"""Strangers' names and numbers in LaTeX."""

from __future__ import annotations

import pytest

from analysis.paper.latex_text import LatexSource, escape_latex, print_latex
from analysis.report.number_sources import Name, NumberSource, UntracedNumber


@pytest.mark.parametrize(
    ("name", "latex"),
    [
        ("gpt_4o 100% a&b #1 $x {y}", r"gpt\_4o 100\% a\&b \#1 \$x \{y\}"),
        (r"\input{secret}", r"\textbackslash{}input\{secret\}"),
        (
            "a~b^c<d>e|f",
            r"a\textasciitilde{}b\textasciicircum{}c\textless{}d\textgreater{}e\textbar{}f",
        ),
        ("[x]--*", "{[}x{]}{-}{-}{*}"),
        ("ü É ñ ß", r"\"{u} \'{E} \~{n} \ss{}"),
        ("中 🐎", "{[}U+4E2D{]} {[}U+1F40E{]}"),
        ("two\nlines", r"two\textbackslash{}nlines"),
    ],
)
def test_a_name_is_printed_as_it_is(name: str, latex: str) -> None:
    assert escape_latex(name) == latex


def test_only_a_number_with_a_source_is_printed() -> None:
    source = NumberSource("analysis.statistics", "nothing")
    assert print_latex(source.pp(-4.25, "sway")) == "$-$4.2"
    assert print_latex(source.signed(float("nan"), "I_avg", "no yes before")) == "--"
    assert print_latex(Name("p_12")) == r"p\_12"
    assert print_latex(LatexSource("$5$")) == "$5$"
    for loose in ("5 personas", 5, 5.0):
        with pytest.raises(UntracedNumber):
            print_latex(loose)
