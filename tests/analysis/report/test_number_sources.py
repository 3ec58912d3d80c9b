"""No number without a source."""

from __future__ import annotations

import math
import re

import pytest
from jinja2 import Environment
from markupsafe import Markup

from analysis.report.number_sources import Name, NumberSource, Traces, UntracedNumber, placed
from analysis.statistics.estimate import NAN, Estimate

SOURCE = NumberSource("analysis.data.before_after_windows.window_share", "20 videos", "3 ads")


def shown(template: str, **values: object) -> tuple[str, Traces]:
    traces = Traces()
    environment = Environment(autoescape=True, finalize=traces.shown)
    return environment.from_string(template).render(**values), traces


def test_a_number_is_a_link_to_its_source_and_says_it_on_hovering() -> None:
    html, traces = shown("<p>{{ x }}</p>", x=SOURCE.pp(-3.14159, "sway"))
    assert html == (
        '<p><a class="n" id="n-1" href="#from-1" title="sway. '
        "analysis.data.before_after_windows.window_share. "
        'In: 20 videos. Out: 3 ads.">\N{MINUS SIGN}3.1</a></p>'
    )
    assert list(traces.sources()) == [(1, SOURCE)]
    assert [one.value for one in traces.numbers] == [-3.14159]


@pytest.mark.parametrize("value", [3, 3.5, True, "12 runs", None, ["a"], SOURCE])
def test_whatever_has_no_source_is_refused(value: object) -> None:
    with pytest.raises(UntracedNumber):
        shown("{{ x }}", x=value)


def test_words_names_and_markup_pass() -> None:
    html, traces = shown(
        "{{ a }} {{ b }} {{ c }}", a="Student's <t>", b=Name("p12 & co"), c=Markup("<b>7</b>")
    )
    assert html == (
        "Student\N{RIGHT SINGLE QUOTATION MARK}s &lt;t&gt; "
        '<span class="id">p12 &amp; co</span> <b>7</b>'
    )
    assert traces.numbers == []


def test_one_source_has_one_number() -> None:
    other = NumberSource("analysis.estimators.iavg.iavg", "all")
    html, traces = shown(
        "{{ a }}{{ b }}{{ c }}",
        a=SOURCE.count(1200, "n"),
        b=other.p(0.02, "p"),
        c=SOURCE.percent(2.25, "share"),
    )
    assert html.count('href="#from-1"') == 2
    assert [place for place, _ in traces.sources()] == [1, 2]
    assert "1,200" in html
    assert "= 0.02" in html


def test_notes_are_numbered_in_their_order_and_other_sources_follow() -> None:
    first, second, last = (NumberSource("f", text) for text in ("first", "second", "last"))
    traces = Traces()
    environment = Environment(autoescape=True, finalize=traces.shown)
    environment.globals["note"] = traces.note
    page = environment.from_string("{{ x }}{{ note(b) }}{{ note(a) }}{{ y }}{{ note(b) }}")
    html = page.render(
        x=last.count(1, "linked alone"), y=first.count(2, "noted"), a=first, b=second
    )
    notes = re.findall(r'href="#from-(\d)" aria-label="source (\d)">(\d)<', html)
    assert [number for _, *number in notes] == [["1", "1"], ["2", "2"], ["1", "1"]]
    listed = list(traces.sources())
    assert [source for _, source in listed] == [second, first, last]
    assert [place for place, *_ in notes[:2]] == [str(place) for place, _ in listed[:2]]
    assert [(place, one.what) for place, one in traces.number_all()] == [
        (3, "linked alone"),
        (2, "noted"),
    ]


def test_what_does_not_exist_is_a_dash_with_its_reason() -> None:
    told = SOURCE.estimate(Estimate(NAN, reason="no run has both windows"), "sway")
    html, _ = shown("{{ x }}", x=told.value)
    assert ">\N{EN DASH}</a>" in html
    assert "sway: no run has both windows" in html
    assert not told.exists
    assert math.isnan(told.low.value)


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (SOURCE.pp(0.04, ""), "0.0"),
        (SOURCE.pp(-0.04, ""), "0.0"),
        (SOURCE.pp(12.26, ""), "+12.3"),
        (SOURCE.p(1e-6, ""), "< 0.0001"),
        (SOURCE.p(0.0345, ""), "= 0.035"),
        (SOURCE.p(1.0, ""), "= 1"),
        (SOURCE.signed(-45.6, ""), "\N{MINUS SIGN}46"),
        (SOURCE.setting(0.05, ""), "0.05"),
        (SOURCE.percentile(99.975, "x"), "99.97"),
        (SOURCE.percentile(0.0125, "x"), "0.01"),
        (SOURCE.percentile(100, "x"), "100"),
        (SOURCE.percentile(53.4, "x"), "53"),
    ],
)
def test_numbers_are_printed_as_people_write_them(number: object, text: str) -> None:
    assert getattr(number, "text", None) == text


def test_the_place_among_draws() -> None:
    assert [placed(at) for at in (0, 0.1, 50, 99.9, 100)] == [
        "below",
        "within",
        "within",
        "within",
        "above",
    ]
