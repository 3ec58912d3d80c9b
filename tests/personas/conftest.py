"""What the tests of the personas share."""

from __future__ import annotations

from hypothesis import strategies as st

from personas.persona import Persona


def _words(smallest: int, most: int) -> st.SearchStrategy[str]:
    return st.text(st.characters(codec="utf-8"), min_size=smallest, max_size=most).filter(
        lambda text: len(text.strip()) >= smallest
    )


def personas() -> st.SearchStrategy[Persona]:
    """Any persona that can be, odd characters included."""
    return st.builds(
        Persona,
        id=st.from_regex(r"[a-z0-9][a-z0-9_-]{0,20}", fullmatch=True),
        traits=st.lists(_words(3, 60), min_size=3, max_size=6).map(tuple),
        values=st.lists(st.sampled_from(["power", "security", "universalism"])).map(tuple),
        themes=st.lists(_words(1, 20)).map(tuple),
        source=_words(1, 20),
        licence=_words(1, 20),
    )
