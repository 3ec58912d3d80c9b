"""Text of a document that a tool writes, between two marks."""

from __future__ import annotations

from pathlib import Path


def replace_marked(document: Path, mark: str, text: str) -> None:
    """Put another text between ``<!-- MARK: begin -->`` and its end."""
    begin, end = (f"<!-- {mark}: {word} -->\n" for word in ("begin", "end"))
    old = document.read_text(encoding="utf-8")
    if old.count(begin) != 1 or old.count(end) != 1:
        raise ValueError(f"{document} lacks its marks. Type into it: {begin}{end}")
    head, _, rest = old.partition(begin)
    _, _, tail = rest.partition(end)
    new = f"{head}{begin}\n{text}\n\n{end}{tail}"
    document.write_text(new, encoding="utf-8")
