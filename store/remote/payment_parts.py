"""Lines of the book of payments that other machines wrote, in an order in which it can be read."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic_core import from_json


def add(book: bytes, parts: Mapping[str, bytes]) -> tuple[list[bytes], set[str]]:
    """Return the lines that a book lacks, and which parts came before what they settle.

    Clocks of machines differ, so reservations go first. A call that two machines settled is
    settled once. A settlement whose reservation was not listed yet waits for the next look.
    """
    known = set(book.splitlines(keepends=True))
    told = [_tell(line) for line in known]
    reserved = {call for kind, call in told if kind == "reserved"}
    settled = {call for kind, call in told if kind == "settled"}
    first: list[bytes] = []
    others: list[tuple[str, bytes, str, str]] = []
    for name, content in parts.items():
        for text in content.split(b"\n"):
            line = text + b"\n"
            if not text or line in known:
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


def _tell(line: bytes) -> tuple[str, str]:
    """Return a line's kind and call; of what is no payment, nothing."""
    try:
        fields = from_json(line)
    except ValueError:
        return "", ""
    if not isinstance(fields, dict):
        return "", ""
    return str(fields.get("kind")), str(fields.get("id"))
