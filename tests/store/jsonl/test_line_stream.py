"""Lines that are taken one by one are those of the file as a whole, however it ends."""

from __future__ import annotations

from io import BytesIO

from hypothesis import example, given
from hypothesis import strategies as st

from store.jsonl.append_only import divide
from store.jsonl.hash_chain import seal_lines
from store.jsonl.line_stream import CommittedLines

SEALED = seal_lines([b'{"a":1}', b'{"b":22}', b'{"c":333}', b'{"d":4444}'])[0]
PIECES = [b"\n", b"\0", b"{}", b'{"a":1}', b'{"a":1}\n', b"\xff", SEALED, SEALED[:-1]]


@given(st.lists(st.sampled_from(PIECES), max_size=6).map(b"".join))
@example(b"")
@example(b"\n")
@example(SEALED + b'{"half')
@example(SEALED[:-30] + bytes(29) + b"\n")
@example(SEALED[:-1] + b"x")
def test_a_file_is_divided_alike_line_by_line(raw: bytes) -> None:
    lines = CommittedLines(BytesIO(raw))
    assert (list(lines), lines.torn) == divide(raw)


def test_every_cut_and_every_changed_byte_of_a_sealed_file_is_divided_alike() -> None:
    cut = [SEALED[:end] for end in range(len(SEALED))]
    bits = [SEALED[:at] + bytes([SEALED[at] ^ 8]) + SEALED[at + 1 :] for at in range(len(SEALED))]
    assert len(cut + bits) > 1_000
    for raw in cut + bits:
        lines = CommittedLines(BytesIO(raw))
        assert (list(lines), lines.torn) == divide(raw)
