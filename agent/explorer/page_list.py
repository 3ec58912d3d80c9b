"""The pages by name: which address each has, and what it is rendered with.

A page is a piece of HTML that the shell puts in place. Text is escaped by the templates, so that a
caption is never markup; nothing on a page is a script.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from agent.explorer import (
    frames_page,
    label_pages,
    live_page,
    pair_page,
    run_pages,
    step_page,
    study_pages,
)
from agent.explorer.errors import NoSuchPage
from agent.explorer.report_files import ReportFiles
from agent.explorer.workbench import Workbench
from analysis.errors import AnalysisError
from store.errors import StoreError
from store.maintenance.stats import size_told
from store.terminal.printing import count_of

if TYPE_CHECKING:
    from starlette.datastructures import QueryParams

__all__ = ["PAGES", "NoSuchPage", "Page", "Pages"]

_TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True)
class Page:
    """One page: its address below ``/page/``, its template, and what makes the values shown."""

    path: str
    template: str
    make: Callable[[Workbench, Mapping[str, Any], QueryParams], object]


PAGES: dict[str, Page] = {
    "frames": Page("frames", "frames.html", frames_page.make),
    "runs": Page("runs", "runs.html", run_pages.make_list),
    "run": Page("run/{run}", "run.html", run_pages.make),
    "summary": Page("summary/{run}", "summary.html", run_pages.make_summary),
    "studies": Page("studies", "studies.html", study_pages.make_list),
    "study": Page("study/{study}", "study.html", study_pages.make),
    "findings": Page("findings/{study}", "summary.html", study_pages.make_findings),
    "pair": Page("pair", "pair.html", pair_page.make),
    "live": Page("live", "live.html", live_page.make),
    "labels": Page("labels", "labels.html", label_pages.make_list),
    "label": Page("labels/{draw}", "label.html", label_pages.make),
    "step": Page("step/{run}/{position}", "step.html", step_page.make),
}
FIGURES: dict[str, Callable[[Workbench, str], bytes]] = {
    "run": run_pages.draw_curve,
    "study": study_pages.draw_curve,
    "matrix": study_pages.draw_matrix,
}


class Pages:
    """Renders pages of one workbench."""

    def __init__(self, bench: Workbench, key: str) -> None:
        from jinja2 import Environment, FileSystemLoader, StrictUndefined

        self._bench = bench
        self._drawing = threading.Lock()
        self._environment = Environment(
            loader=FileSystemLoader(_TEMPLATES), autoescape=True, undefined=StrictUndefined
        )
        self._environment.globals.update(
            small=lambda sha256: f"/pictures/small/{sha256}.jpg?key={key}",
            whole=lambda sha256: f"/pictures/whole/{sha256}.jpg?key={key}",
            figure=lambda kind, name: f"/pictures/figure/{kind}/{quote(name)}.png?key={key}",
            link=_link,
            piece=_path,
            reports=ReportFiles(bench.data, key),
            count_of=count_of,
        )
        self._environment.filters.update(moment=_moment, pretty=_pretty, size=size_told)

    def render(self, name: str, parts: Mapping[str, Any], query: QueryParams) -> str:
        """Return a page's HTML; raises ``NoSuchPage``."""
        page = PAGES[name]
        try:
            shown = page.make(self._bench, parts, query)
        except (StoreError, AnalysisError) as error:
            raise NoSuchPage(str(error)) from None
        return self._environment.get_template(page.template).render(page=shown)

    def draw(self, name: str) -> bytes:
        """Return a figure as PNG; raises ``NoSuchPage``."""
        kind, _, rest = name.partition("/")
        if kind not in FIGURES:
            raise NoSuchPage("There is no such figure.")
        try:
            with self._drawing:  # Matplotlib draws one at a time
                return FIGURES[kind](self._bench, rest)
        except (StoreError, AnalysisError) as error:
            raise NoSuchPage(str(error)) from None


def _link(*parts: str | int, **query: str | None) -> str:
    """Return the address of a page within the explorer."""
    path = _path(*parts)
    given = {name: value for name, value in query.items() if value is not None}
    return f"#/{path}" + (f"?{urlencode(given)}" if given else "")


def _path(*parts: str | int) -> str:
    return "/".join(quote(str(part), safe="") for part in parts)


def _moment(at: datetime | None) -> str:
    return "" if at is None else f"{at:%Y-%m-%d %H:%M} UTC"


def _pretty(value: object) -> str:
    return json.dumps(value, indent=1, ensure_ascii=False, default=str)
