"""The page: well-formed, self-contained, small, and every number in it traced."""

from __future__ import annotations

import re

from analysis.report.group_measures import Measures
from analysis.report.page_files import Rendered
from tests.analysis.report.html_reader import function, links, loose_numbers, text_of, tree

MOST_BYTES = 3_000_000


def test_the_page_is_well_formed_and_has_one_title(rendered: Rendered) -> None:
    root = tree(rendered.html)
    assert root.get("lang") == "en"
    assert len(list(root.iter("h1"))) == 1
    assert text_of(next(root.iter("title"))) == "example: feedsway report"
    ids = [element.get("id") for element in root.iter() if element.get("id")]
    assert len(ids) == len(set(ids))


def test_the_page_needs_nothing_else(rendered: Rendered) -> None:
    assert len(rendered.html.encode()) < MOST_BYTES
    assert not re.search(r"(?:https?:)?//[a-z]", re.sub(r"base64,[^\"]+", "", rendered.html))
    assert "url(" not in rendered.html
    assert "@import" not in rendered.html
    root = tree(rendered.html)
    tags = {element.tag for element in root.iter()}
    assert tags.isdisjoint({"script", "link", "iframe", "object", "embed"})
    for element in root.iter():
        source = element.get("src")
        assert source is None or source.startswith("data:image/jpeg;base64,")
        assert not any(name.startswith("on") for name in element.keys())  # noqa: SIM118


def test_every_number_in_the_text_is_traced(rendered: Rendered) -> None:
    root = tree(rendered.html)
    body = next(root.iter("body"))
    assert list(loose_numbers(body)) == []
    assert len(links(body)) > 200


def test_every_number_leads_to_a_source_that_exists(rendered: Rendered) -> None:
    root = tree(rendered.html)
    places = {element.get("id"): element for element in root.iter("li") if element.get("id")}
    pointed = {str(link.get("href"))[1:] for link in root.iter("a") if link.get("href")}
    sources = {place for place in pointed if place.startswith("from-")}
    assert sources == set(places)
    for place, item in places.items():
        name = next(item.iter("code")).text or ""
        if name.startswith("analysis."):
            assert callable(function(name)), place
        assert re.search(r"in: \S.*out: \S", text_of(item)), place
    named = {next(item.iter("code")).text for item in places.values()}
    assert len([name for name in named if str(name).startswith("analysis.")]) > 15


def test_hovering_names_function_and_rows(rendered: Rendered) -> None:
    root = tree(rendered.html)
    hints = [link.get("title") for link in links(root)]
    told = [hint for hint in hints if hint]
    assert len(told) > 150
    assert all(re.search(r"\. In: .+\. Out: .+\.$", hint) for hint in told)
    # the numbers of dense tables have the link alone
    assert all(link.get("href", "").startswith("#from-") for link in links(root))


def test_the_numbers_on_the_page_are_the_numbers_that_were_measured(
    rendered: Rendered, measures: Measures
) -> None:
    (group,) = measures.groups
    contrast = group.result.contrasts[0].estimate
    values = {one.what: one.value for _, one in rendered.numbers}
    assert values["the sway, treatment minus control"] == contrast.value
    assert values["the sway, treatment minus control: lower end"] == contrast.low
    assert values["specific sway"] == group.rejudged[0].matrix.sway.estimate.value  # type: ignore[union-attr]
    big = next(e for e in tree(rendered.html).iter("p") if (e.get("class") or "").startswith("big"))
    assert text_of(big) == f"{contrast.value:+.1f} pp"


def test_the_parts_of_the_brief_are_there(rendered: Rendered) -> None:
    root = tree(rendered.html)
    heads = [text_of(head) for head in root.iter() if head.tag in ("h2", "h3")]
    for head in (
        "Persona by persona",
        "Along the feed",
        "What yes and no looked like",
        "The paper’s measure, beside its null",
        "Robustness",
        "Judged again, blind",
        "The persona matrix",
        "The feed’s part and the judge’s part",
        "How this judge judges",
        "What was shown",
        "How long it was watched",
        "Excluded videos",
        "Answers that are missing",
        "Runs that were lost",
        "Designs that fit these runs",
        "How it was made",
        "To make this report again",
        "Where each number comes from",
    ):
        assert head in heads
    assert "python -m analysis report example" in text_of(root)
    text = text_of(root)
    assert "placebo: the passive before windows alone" in text
    assert "a sensitivity: the same of the probability of yes" in text
    assert "example-pia-passive (interrupted)" in text
    images = list(root.iter("img"))
    assert 48 <= len(images) <= 72
    assert all(image.get("alt") for image in images)


def test_i_avg_never_stands_without_its_null(rendered: Rendered) -> None:
    root = tree(rendered.html)
    cards = [e for e in root.iter("figure") if "average" in (e.get("class") or "").split()]
    assert len(cards) == 2
    for card in cards:
        told = text_of(card)
        assert re.search(r"It lies|Unremarkable", told)
        assert re.search(r"(above|below) .*the values that chance gives", told)


def test_figures_are_named_or_hidden_from_readers(rendered: Rendered) -> None:
    for svg in tree(rendered.html).iter("svg"):
        if "figure" in (svg.get("class") or "").split():
            assert svg.get("aria-hidden") == "true"
