"""The one place that prints: whatever is shown passes here, as plain text that steers nothing.

Results go to stdout, remarks to stderr. A character that the stream's encoding lacks is spelled
out. Who closes stderr gets no more remarks, and nothing else ends.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from store.terminal.command_words import spell_commands
from store.untrusted.clean_text import show_line, show_text

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.panel import Panel
    from rich.text import Text


@dataclass(frozen=True, slots=True)
class Styled:
    """Words of ours or a stranger's in a colour of ours."""

    text: str
    colour: str | None = None
    bold: bool = False
    dim: bool = False

    def __str__(self) -> str:
        return self.text

    def coloured(self) -> str:
        import click

        shown = show_text(self.text)
        return click.style(shown, fg=self.colour, bold=self.bold or None, dim=self.dim or None)


def count_of(count: int, noun: str) -> str:
    """Return a count with its noun, in the plural unless it is one: ``1 run``, ``2 batches``."""
    plural = f"{noun}es" if noun.endswith("ch") else f"{noun}s"
    if noun.endswith("y") and noun[-2] not in "aeiou":
        plural = f"{noun[:-1]}ies"
    return f"{count:,} {noun if count == 1 else plural}"


def share_text(share: float, digits: int) -> str:
    """Return a share in % with so many decimals, and more where it would read 0 or 100.

    A billionth from either end is rounding of sums, and taken for the end.
    """
    if min(abs(share), abs(share - 100)) < 1e-9:
        return f"{share:.{digits}f}"
    shown = (f"{share:.{more}f}" for more in range(digits, 18))
    return next(text for text in shown if float(text) not in (0, 100))


def echo(*parts: str | Styled, err: bool = False, nl: bool = True) -> None:
    """Print a result, or with ``err`` a remark; colours only where a terminal shows them.

    A remark names commands in the caller's words. A result is printed as it is.
    """
    stream = Stream(err=err)
    coloured = stream.isatty()
    spell = spell_commands if err else str
    shown = (
        part.coloured() if isinstance(part, Styled) and coloured else show_text(spell(str(part)))
        for part in parts
    )
    stream.write("".join(shown) + "\n" * nl)
    stream.flush()


def remark(text: str) -> None:
    """Print a text on stderr as it comes, its line breaks its own."""
    echo(text, err=True, nl=False)


def rewrite(text: str, *, last: bool = False) -> None:
    """Show a counter on stderr in place of the one before; nothing where nobody watches."""
    stream = Stream(err=True)
    if stream.isatty():
        stream.write(f"\r{show_line(text)}\x1b[K" + "\n" * last)
        stream.flush()


class Stream:
    """Standard output or error as it is now, for text in any encoding.

    Remarks that nobody can read any more (a closed pipe, a full disk) are left out, since nothing
    depends on them; results raise ``OSError``. ``beneath`` goes past the stand-in that ``rich``
    puts there while a panel lives.
    """

    def __init__(self, *, err: bool, beneath: bool = False) -> None:
        self._err = err
        self._beneath = beneath

    @property
    def _stream(self) -> Any:
        now = sys.stderr if self._err else sys.stdout
        return getattr(now, "rich_proxied_file", now) if self._beneath else now

    @property
    def encoding(self) -> str:
        return getattr(self._stream, "encoding", None) or "utf-8"

    def isatty(self) -> bool:
        return bool(self._stream.isatty())

    def fileno(self) -> int:
        return int(self._stream.fileno())

    def write(self, text: str) -> int:
        encoded = text.encode(self.encoding, "backslashreplace")
        with self._lenient():
            self._stream.write(encoded.decode(self.encoding))
        return len(text)

    def flush(self) -> None:
        with self._lenient():
            self._stream.flush()

    @contextmanager
    def _lenient(self) -> Iterator[None]:
        with suppress(*((OSError,) if self._err else ())):
            yield


def console(*, err: bool = False, width: int | None = None, **options: Any) -> Console:
    """Make a console of ``rich`` for tables and panels, whose strings are words and no markup."""
    from rich.console import Console

    class PlainConsole(Console):
        def render_str(self, text: str, **given: Any) -> Text:
            return super().render_str(
                show_text(text), **given | {"markup": False, "emoji": False, "highlight": False}
            )

    options.setdefault("file", Stream(err=err, beneath=True))
    return PlainConsole(width=width, markup=False, emoji=False, highlight=False, **options)


def words(text: str, style: str = "", **options: Any) -> Text:
    """Return words for a cell: one line, in a style of ours."""
    from rich.text import Text

    return Text(show_line(text), style, **options)


def panel(content: RenderableType, title: str) -> Panel:
    from rich.panel import Panel

    return Panel(content, title=words(title), title_align="left")


@contextmanager
def counting(what: str) -> Iterator[Callable[[int, int], None]]:
    """Yield a function that shows how many of how many are done, on a terminal only."""
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    told = TextColumn("{task.description}", markup=False)
    shown = console(err=True)
    columns = (told, BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=shown, disable=not shown.is_terminal) as progress:
        task = progress.add_task(show_line(what), total=None)

        def tell(done: int, total: int) -> None:
            progress.update(task, completed=done, total=total)

        yield tell


class PlainFormatter(logging.Formatter):
    """Lines of a log that steer nothing; a stranger's line break begins no line."""

    def format(self, record: logging.LogRecord) -> str:
        line, _, traceback = super().format(record).partition("\nTraceback ")
        below = f"\nTraceback {show_text(traceback)}" if traceback else ""
        return show_line(line) + below
