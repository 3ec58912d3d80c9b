"""Whatever is printed is plain text, and printing ends nothing."""

from __future__ import annotations

import io
import logging
import os
import sys

import pytest
from rich.table import Table

from store.terminal.printing import PlainFormatter, Styled, console, counting, echo, panel, words
from tests.store.untrusted.hostile import CAPTIONS, OURS, STEERS


class Terminal(io.StringIO):
    """Takes what a terminal would be sent."""

    def isatty(self) -> bool:
        return True


def begin(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Make stderr a terminal; not in a fixture, since pytest puts its own there between."""
    shown = Terminal()
    monkeypatch.setattr(sys, "stderr", shown)
    monkeypatch.setenv("TERM", "xterm-256color")
    return shown


def test_no_caption_steers_a_terminal_wherever_it_is_put(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = begin(monkeypatch)
    for caption in CAPTIONS:
        echo(caption, Styled(caption, "red", bold=True), err=True)
        shown = console(err=True)
        table = Table(caption, title=caption)
        table.add_row(caption)
        table.add_row(words(caption, "bold"))
        shown.print(caption, table, panel(table, caption))
        with counting(caption) as tell:
            tell(1, 2)
    left = OURS.sub("", terminal.getvalue())
    assert not STEERS.search(left), ascii(STEERS.findall(left))
    for caption in ("[/s]", "AC[/]DC", "[/10]", "[official video]", ":smile:", "\\u001b]52;c;"):
        assert caption in left


def test_colours_are_for_terminals(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    terminal = begin(monkeypatch)
    echo(Styled("ok", "green"), " fine", err=True)
    assert terminal.getvalue() == "\x1b[32mok\x1b[0m fine\n"
    echo(Styled("ok", "green"), " fine")
    assert capsys.readouterr().out == "ok fine\n"


def test_an_encoding_without_a_character_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
    echo("… 🌊")
    console().print("… 🌊")
    assert raw.getvalue() == b"\\u2026 \\U0001f30a\n" * 2


def test_who_closes_stderr_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    closed = os.fdopen(writer, "w")
    monkeypatch.setattr(sys, "stderr", closed)
    echo("nobody reads this", err=True)
    console(err=True).print("nor this")
    monkeypatch.setattr(sys, "stdout", closed)
    with pytest.raises(BrokenPipeError):  # a result that nobody got is no success
        echo("a result")
    os.close(writer)
    with pytest.raises(OSError, match="Bad file"):
        closed.close()


def test_no_message_begins_a_line_of_a_log() -> None:
    told = logging.LogRecord("a", logging.INFO, "", 0, "%s", ("x\n2025 INFO \x1b[2Jy",), None)
    assert PlainFormatter("%(levelname)s %(message)s").format(told) == (
        "INFO x\\n2025 INFO \\u001b[2Jy"
    )
