"""Lines of the book of payments that other machines wrote, in an order in which it can be read."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from pydantic_core import from_json

from store.jsonl.append_only import divide
from store.jsonl.hash_chain import ChainWalk
from store.untrusted.clean_text import show_line


def add(book: Collection[bytes], parts: Mapping[str, bytes]) -> tuple[list[bytes], set[str]]:
    """Return the lines that a book lacks, and which parts came before what they settle.

    ``book`` has its lines without seals, and so are those that are returned: each machine's book
    is a chain of its own. A part is one too; raises ``OSError`` where it is not as it was written.

    Clocks of machines differ, so reservations go first. A call that two machines settled is
    settled once. A settlement whose reservation was not listed yet waits for the next look.
    """
    known = set(book)
    told = [_tell(line) for line in known]
    reserved = {call for kind, call in told if kind == "reserved"}
    settled = {call for kind, call in told if kind == "settled"}
    first: list[bytes] = []
    others: list[tuple[str, bytes, str, str]] = []
    for name, content in parts.items():
        for line in _read_part(name, content):
            if line in known:
                continue
            known.add(line)
            kind, call = _tell(line)
            if kind == "reserved":
                reserved.add(call)
                first.append(line)
            else:
                others.append((name, line, kind, call))
    early: set[str] = set()
    for name, line, kind, call in others:
        if kind == "settled" and call in settled:
            continue
        if kind == "settled" and call not in reserved:
            early.add(name)
            continue
        if kind == "settled":
            settled.add(call)
        first.append(line)
    return first, early


def _read_part(name: str, content: bytes) -> list[bytes]:
    walk, bodies = ChainWalk(), []
    for line in divide(content)[0]:
        body, fault = walk.take(line)
        if fault is not None:
            raise OSError(f"{show_line(name)[:200]} in it is damaged: {fault}")
        bodies.append(body)
    return bodies


def _tell(line: bytes) -> tuple[str, str]:
    """Return a line's kind and call; of what is no payment, nothing."""
    try:
        fields = from_json(line)
    except ValueError:
        return "", ""
    if not isinstance(fields, dict):
        return "", ""
    return str(fields.get("kind")), str(fields.get("id"))
