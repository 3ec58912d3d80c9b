"""Shows a run on stderr: a live panel on a terminal, plain lines elsewhere."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from datetime import timedelta
from time import monotonic
from types import TracebackType
from typing import Self

from rich.console import Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table

from agent.errors import RunFault, WallShown
from agent.run_config import RunConfig
from store.runs.ledger_lines import Judgement, Phase, Step, Video
from store.terminal.printing import console, count_of, panel, share_text, words
from store.untrusted.clean_text import show_line

RECENT = 6
HEADER = f"{'#':>4}  {'window':<6} {'answer':<9} p_yes watched  video"
STYLES = {"yes": "bold green", "no": "red", None: "yellow"}


class Display:
    """A context that lives as long as the run."""

    def __init__(self) -> None:
        self._console = console(err=True)
        self._rich = self._console.is_terminal
        self._live = Live(console=self._console, refresh_per_second=8, transient=True)
        self._recent: deque[Step] = deque(maxlen=RECENT)
        self._tally: dict[Phase, list[int]] = {"before": [0, 0], "adapt": [0, 0], "after": [0, 0]}
        self._now: tuple[Video, Judgement] | None = None
        self._total = self._done = self._first = 0
        self._since = monotonic()
        self._title = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._live.stop()

    # What the run tells

    def started(self, config: RunConfig, run_id: str, earlier: Sequence[Step]) -> None:
        self._total = config.windows.total
        for step in earlier:
            self._count(step)
        self._first, self._since = self._done, monotonic()
        self._title = f"{config.persona.id} on {config.platform} · {config.model}"
        verb = f"resumed after {count_of(len(earlier), 'video')}" if earlier else "new"
        print_ = self._console.print
        print_(words(f"Run {run_id}", "bold") + f" ({verb})")
        print_(f"{config.persona.id} watches: " + " ".join(config.persona.traits), style="italic")

    def doing(self, what: str) -> None:
        self._console.print(f"… {what}", style="dim")

    def judged(self, video: Video, judgement: Judgement) -> None:
        self._now = (video, judgement)
        self._refresh()

    def stepped(self, step: Step) -> None:
        self._count(step)
        if not self._rich and not self._recent:
            self._console.print(HEADER, style="dim")
        self._recent.append(step)
        if self._rich:
            self._refresh()
        else:
            self._console.print(self._line(step), soft_wrap=True)

    def faulted(self, fault: RunFault, *, recovered: bool) -> None:
        after = "starting the browser again" if recovered else "giving up"
        self._console.print(f"{type(fault).__name__}: {fault} — {after}", style="yellow")

    def waiting(self, wall: WallShown) -> None:
        where = wall.details.get("picture", "")
        self._console.print(str(wall), style="bold yellow")
        self._console.print(f"… waiting; it goes on by itself. Picture: {where}", style="dim")

    def _count(self, step: Step) -> None:
        if not step.eligible:
            return
        self._done += 1
        if step.judgement.answer is not None:
            self._tally[step.phase][0] += step.judgement.answer == "yes"
            self._tally[step.phase][1] += 1

    # How it looks

    def _line(self, step: Step) -> str:
        judged = step.excluded or step.judgement.answer or step.judgement.missing or ""
        p_yes = "" if step.judgement.p_yes is None else f"{step.judgement.p_yes:.2f}"
        about = step.judgement.fault or (step.video.caption or step.video.id)[:60]
        return (
            f"{step.position + 1:>4}  {step.phase:<6} {judged:<9} {p_yes:>5} "
            f"{_seconds(step):>5} s  {show_line(about)}"
        )

    def _left(self) -> str:
        made = self._done - self._first
        if made < 3:
            return "…"
        seconds = (monotonic() - self._since) / made * (self._total - self._done)
        return str(timedelta(seconds=round(seconds)))

    def _shares(self) -> str:
        parts = [
            f"{phase} {yes}/{n} ({share_text(100 * yes / n, 0)} %)"
            for phase, (yes, n) in self._tally.items()
            if n
        ]
        return "share of yes: " + (" · ".join(parts) if parts else "–")

    def _refresh(self) -> None:
        if self._rich:
            if not self._live.is_started:
                self._live.start()
            self._live.update(self._panel())

    def _panel(self) -> RenderableType:
        bar = Table.grid(expand=True, padding=(0, 1))
        bar.add_column(ratio=1)
        bar.add_column(justify="right")
        bar.add_row(
            ProgressBar(total=self._total, completed=self._done),
            f"{self._done} of {count_of(self._total, 'video')} · {self._left()} left",
        )
        rows = Table.grid(padding=(0, 1), expand=True)
        for column in ("right", "left", "right", "right"):
            rows.add_column(justify=column, no_wrap=True)
        rows.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
        for step in self._recent:
            rows.add_row(*self._cells(step))
        if self._now is not None:
            video, judgement = self._now
            answer = judgement.answer or judgement.missing or "–"
            rows.add_row("▶", words(answer, STYLES[judgement.answer]), "", "", _caption(video))
        return panel(Group(bar, self._shares(), rows), self._title)

    def _cells(self, step: Step) -> tuple[RenderableType, ...]:
        judgement = step.judgement
        answer = step.excluded or judgement.answer or judgement.missing or "–"
        p_yes = "" if judgement.p_yes is None else f"{judgement.p_yes:.2f}"
        style = "dim" if step.excluded else STYLES[judgement.answer]
        dwell = f"{_seconds(step)} s"
        return str(step.position + 1), words(answer, style), p_yes, dwell, _caption(step.video)


def _caption(video: Video) -> RenderableType:
    return words(video.caption or "")


def _seconds(step: Step) -> str:
    dwell_s = step.reaction.dwell_s
    return "?" if dwell_s is None else f"{dwell_s:.1f}"
