"""An embedded short-video site on loopback, whose recommender is planted truth.

Refuses to know its visitor: it imports nothing else of this project, and nobody learns from it
more than a browser would, except checks that ask ``catalogue.themes_of``.
"""

from __future__ import annotations


def footage_summary() -> str:
    """Say how much footage and how many clips are there, in a few words.

    Raises
    ------
    PlaygroundError
        Footage is missing, or the folder for clips cannot be written.
    """
    from agent.playground.catalogue import load
    from agent.playground.clips import ClipStore, default_cache
    from agent.playground.footage import table

    items = load().items
    store = ClipStore(default_cache())
    made = sum(map(store.has, items))  # naming a clip finds its footage
    return f"{len(table())} pieces of footage, {made} of {len(items)} clips made"
