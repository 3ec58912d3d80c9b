"""Has the browser read a platform's selectors and expressions before it opens the site."""

from __future__ import annotations

from collections.abc import Iterator

from playwright.async_api import Page

from agent.drivers.base import PageHooks, Wall
from agent.errors import BadHooks

UNREADABLE = """([selectors, patterns]) => {
    const fails = (read) => (text) => { try { read(text); return false; } catch { return true; } };
    const empty = document.createDocumentFragment();
    return [
        ...selectors.filter(fails((text) => empty.querySelector(text))),
        ...patterns.filter(fails((text) => new RegExp(text))),
    ];
}"""


async def refuse_unreadable(page: Page, hooks: PageHooks) -> None:
    """Raise ``BadHooks`` where this browser cannot read a selector or an expression."""
    known = [*dict.fromkeys(_selectors(hooks))], [*dict.fromkeys(_patterns(hooks))]
    if unreadable := await page.evaluate(UNREADABLE, known):
        raise BadHooks(unreadable)


def _selectors(hooks: PageHooks) -> Iterator[str]:
    for several in (
        *(hooks.item, hooks.active, hooks.next_buttons, hooks.like_buttons, hooks.liked),
        *(hooks.ad, hooks.live, hooks.photos, tuple(hooks.fields.values())),
    ):
        yield from several
    for selector, _, _ in (*hooks.id_attributes, *hooks.field_attributes.values()):
        if selector:
            yield selector
    yield from (name for name in hooks.inline if not name.startswith("window."))
    for wall in hooks.walls:
        yield from wall.selectors
        yield from (selector for selector, _ in (*wall.texts, *wall.decline))


def _patterns(hooks: PageHooks) -> Iterator[str]:
    if hooks.url_id:
        yield hooks.url_id
    for _, _, pattern in (*hooks.id_attributes, *hooks.field_attributes.values()):
        yield pattern
    for wall in hooks.walls:
        yield from _patterns_of(wall)


def _patterns_of(wall: Wall) -> Iterator[str]:
    yield from wall.urls
    yield from (pattern for _, pattern in (*wall.texts, *wall.decline))
