"""Reads a report as a browser would, without one: well-formed or not at all."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from xml.etree import ElementTree

FREE = {"n", "id", "axis", "ref", "from"}
"""Classes whose text may hold digits: traced numbers, names, axes, footnotes, the sources."""
FREE_TAGS = {"code", "time", "style", "title"}


def tree(html: str) -> ElementTree.Element:
    """The page as a tree; every element closed, every attribute quoted, no stray entity."""
    body = html.strip()
    assert body.lower().startswith("<!doctype html>")
    return ElementTree.fromstring(body[len("<!doctype html>") :])


def loose_numbers(element: ElementTree.Element, free: bool = False) -> Iterator[str]:
    """Text with a digit that stands in no place where a digit may stand."""
    names = set((element.get("class") or "").split())
    free = free or element.tag in FREE_TAGS or bool(names & FREE)
    if not free and element.text and re.search(r"\d", element.text):
        yield element.text.strip()
    for child in element:
        yield from loose_numbers(child, free)
        if not free and child.tail and re.search(r"\d", child.tail):
            yield child.tail.strip()


def links(root: ElementTree.Element) -> list[ElementTree.Element]:
    """Every traced number."""
    return [a for a in root.iter("a") if a.get("class") == "n"]


def text_of(element: ElementTree.Element) -> str:
    """Everything that an element says, with single spaces."""
    return " ".join("".join(element.itertext()).split())


def function(name: str) -> object:
    """What a source names; fails where there is no such thing."""
    module, _, attribute = name.rpartition(".")
    return getattr(importlib.import_module(module), attribute)
