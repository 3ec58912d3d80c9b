"""Written reports of runs and studies: the page in a sandbox of its own, its tables as files."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from agent.daemon.web.auth import PICTURES
from analysis.report.page_files import PAGE, POLICY, TABLES
from store.errors import StoreError
from store.jsonl.paths import path_within
from store.runs.data_folder import DataFolder

_FOLDER = "report"
_TYPES = {".csv": "text/csv; charset=utf-8", ".parquet": "application/octet-stream"}
_PAGE_HEADERS = {
    "Content-Security-Policy": f"{POLICY}; frame-ancestors 'none'; sandbox",
    "Cross-Origin-Opener-Policy": "unsafe-none",  # HTML has a sandbox with another refused
    "Cache-Control": "no-store",
}


class ReportFiles:
    """Finds and serves the reports of one data folder."""

    def __init__(self, data: DataFolder, key: str) -> None:
        self._data, self._key = data, key

    def link(self, kind: str, name: str, file: str = PAGE) -> str:
        """Return the address of a report's page, or of one of its files."""
        return f"{PICTURES}report/{kind}/{quote(name)}/{quote(file)}?key={self._key}"

    def list_tables(self, kind: str, name: str) -> tuple[str, ...]:
        """Return the files beside a report's page, from its folder; none where there is none."""
        try:
            folder = self._folder(kind, name)
            found = sorted((folder / TABLES).iterdir())
        except (StoreError, OSError):
            return ()
        return tuple(f"{TABLES}/{path.name}" for path in found if _is_table(folder, path))

    def routes(self) -> list[Route]:
        """Return the address of every file."""
        return [Route(f"{PICTURES}report/{{kind}}/{{name}}/{{file:path}}", self._give)]

    def _give(self, request: Request) -> Response:
        kind, name = request.path_params["kind"], request.path_params["name"]
        file = request.path_params["file"]
        try:
            page = self._folder(kind, name) / PAGE
            if file == PAGE and page.is_file():
                path_within(page.parent, page)
                return FileResponse(page, media_type="text/html", headers=_PAGE_HEADERS)
        except StoreError:  # no name of a run or a study, or a link that leads elsewhere
            return _no_report()
        if file not in self.list_tables(kind, name):
            return _no_report()
        path = page.parent / file
        return FileResponse(
            path,
            media_type=_TYPES[path.suffix],
            filename=f"{name}-{path.name}",
            headers={"Cache-Control": "no-store"},
        )

    def _folder(self, kind: str, name: str) -> Path:
        """Return where a report lies; raises ``BadName`` and ``OutsideFolder``."""
        home = self._data.study_dir(name) if kind == "study" else self._data.run_dir(name)
        return path_within(home, home / _FOLDER)


def _is_table(folder: Path, path: Path) -> bool:
    """Whether a file is one of the tables, and lies in the report's own folder."""
    try:
        return path.suffix in _TYPES and path_within(folder, path).is_file()
    except StoreError:
        return False


def _no_report() -> Response:
    return JSONResponse({"error": "There is no such report any more."}, 404)
