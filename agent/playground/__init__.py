"""An embedded short-video site on loopback, whose recommender is planted truth.

Refuses to know its visitor: it imports nothing else of this project, and nobody learns from it
more than a browser would, except checks that ask ``catalogue.themes_of``.
"""

from __future__ import annotations


def footage_summary() -> str:
    """Say in a few words how much footage and how many clips are there.

    Raises
    ------
    PlaygroundError
        Footage is missing, or the folder for clips cannot be written.
    """
    from agent.playground.catalogue import load_catalogue
    from agent.playground.clips import ClipStore, default_cache
    from agent.playground.footage import load_footage

    items = load_catalogue().items
    store = ClipStore(default_cache())
    made = sum(map(store.has, items))  # naming a clip finds its footage
    return f"{len(load_footage())} pieces of footage, {made} of {len(items)} clips made"
