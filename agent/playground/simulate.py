"""The same recommenders without a site: what a viewer would be served, in milliseconds.

Refuses to know the web, clips and browsers. It asks for a batch at the same place of the feed as
the page does, so that the two can be compared.
"""

from __future__ import annotations

from collections.abc import Callable
from math import nan

from agent.playground.catalogue import CatalogueItem, load
from agent.playground.recommend import BATCH, History, Settings, Shelf, next_batch

AHEAD = 4  # the page asks for the next batch when this many items follow the one being watched


def simulate(
    feed: str,
    gain: float,
    viewer_fn: Callable[[CatalogueItem], float],
    n: int,
    seed: int,
    shelf: Shelf | None = None,
) -> list[CatalogueItem]:
    """Serve a simulated visitor.

    Parameters
    ----------
    feed, gain, seed
        As for a site. The visitor is named after the seed.
    viewer_fn
        Given an item, for how many seconds of content it is watched.
    n
        Items to watch, ads and live cards included.
    shelf
        What can be served; the catalogue that ships with the site by default. Pass one along
        when simulating often.

    Returns
    -------
    list of Item
        The n items, in order.
    """
    shelf = shelf or Shelf(load())
    settings = Settings(feed, gain, seed)
    served: list[int] = []
    watched: list[float] = []
    for batch in range(-(-n // BATCH)):
        served += next_batch(shelf, settings, f"simulated-{seed}", batch, _known(served, watched))
        while len(served) - len(watched) > AHEAD + 1:
            item = shelf.catalogue.items[served[len(watched)]]
            watched.append(viewer_fn(item))
    return [shelf.catalogue.items[number] for number in served[:n]]


def _known(served: list[int], watched: list[float]) -> History:
    unseen = [nan] * (len(served) - len(watched))
    return History(served, watched + unseen, [False] * len(served))
