"""Makes pictures and videos of film strips in the background, one at a time, and serves them."""

from __future__ import annotations

import secrets
import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from agent.daemon.web.auth import PICTURES
from agent.explorer.address_numbers import read_whole
from agent.explorer.errors import FilmFailed, NoSuchPage
from agent.explorer.film_export import FILM_KINDS, FilmRequest, choose_strips, make_film
from agent.explorer.film_strips import StripAddress
from agent.explorer.film_video import SPEEDS
from store.errors import StoreError
from store.frames.frame_store import FrameStore
from store.runs.data_folder import DataFolder

_KEPT = 3
_NEVER = {"Cache-Control": "no-store"}


class _Cancelled(Exception):
    """Another export was asked for, or the page was left."""


@dataclass(eq=False)
class FilmJob:
    """One export: how far it is, and at its end the file or why there is none."""

    request: FilmRequest
    done: int = 0
    total: int = 0
    content: bytes | None = None
    problem: str = ""
    is_cancelled: bool = False
    frames: frozenset[str] = frozenset()
    """SHA-256 of what it shows."""

    def count(self) -> None:
        """Count a frame; ends the thread of a job that nobody wants any more."""
        if self.is_cancelled:
            raise _Cancelled
        self.done += 1

    def run(self, data: DataFolder) -> None:
        """Make the file; what goes wrong is told as the job's problem."""
        try:
            pair = choose_strips(data, self.request)
            self.frames = pair.frames
            self.total = len(pair.a.cells) + len(pair.b.cells)
            self.content = make_film(data, self.request, pair, self.count)
        except (FilmFailed, NoSuchPage, StoreError) as error:
            self.problem = str(error)
        except _Cancelled:
            self.problem = "Another one was asked for."
        except Exception as error:
            self.problem = f"It could not be made ({type(error).__name__}: {error})."
            raise  # a fault of ours, which belongs in the terminal


class FilmJobs:
    """The exports of one explorer; the last few stay in memory."""

    def __init__(self, data: DataFolder) -> None:
        self._data = data
        self._jobs: OrderedDict[str, FilmJob] = OrderedDict()
        self._lock = threading.Lock()

    def begin(self, request: FilmRequest) -> str:
        """Begin an export, in place of one that goes on, and return its name."""
        name, job = secrets.token_urlsafe(12), FilmJob(request)
        with self._lock:
            for other in self._jobs.values():
                other.is_cancelled = True
            self._jobs[name] = job
            while len(self._jobs) > _KEPT:
                self._jobs.popitem(last=False)
        threading.Thread(target=job.run, args=(self._data,), daemon=True).start()
        return name

    def routes(self) -> list[Route]:
        """Return what exports are asked for with."""
        return [
            Route("/api/film", self._begin, methods=["POST"]),
            Route("/api/film/{name}", self._tell),
            Route("/api/film/{name}/end", self._end, methods=["POST"]),
            Route(f"{PICTURES}film/{{name}}", self._give),
        ]

    def _begin(self, request: Request) -> Response:
        try:
            asked = read_request(request.query_params)
        except FilmFailed as error:
            return JSONResponse({"error": str(error)}, 400)
        return JSONResponse({"film": self.begin(asked)})

    def _tell(self, request: Request) -> Response:
        job = self._jobs.get(request.path_params["name"])
        if job is None:
            return JSONResponse({"error": "There is no such export any more."}, 404)
        told = {
            "done": job.done,
            "total": job.total,
            "ready": job.content is not None,
            "problem": job.problem,
        }
        return JSONResponse(told, headers=_NEVER)

    def _end(self, request: Request) -> Response:
        job = self._jobs.get(request.path_params["name"])
        if job is not None:
            job.is_cancelled = True
        return JSONResponse({})

    def _give(self, request: Request) -> Response:
        job = self._jobs.get(request.path_params["name"])
        if job is None or job.content is None:
            return JSONResponse({"error": "There is no such export any more."}, 404)
        frames = FrameStore(self._data.frames_dir)
        if not all(frames.has(sha256) for sha256 in job.frames):
            job.content = None  # a video in it was forgotten
            return JSONResponse({"error": "A video in it was forgotten. Make it anew."}, 404)
        kind, media_type = FILM_KINDS[job.request.kind]
        told = f'attachment; filename="feedsway-side-by-side.{kind}"'
        return Response(
            job.content, media_type=media_type, headers=_NEVER | {"Content-Disposition": told}
        )


def read_request(query: Mapping[str, str]) -> FilmRequest:
    """Read what a page asks for; raises ``FilmFailed``."""
    a, b = query.get("a", ""), query.get("b", "")
    kind = FILM_KINDS.get(query.get("kind", ""))
    speed = query.get("speed", str(SPEEDS[1]))
    first, last = read_whole(query.get("first") or "0"), read_whole(query.get("last") or "0")
    wanted = read_whole(speed)
    if not (a and b and kind) or first is None or last is None or wanted not in SPEEDS:
        raise FilmFailed("This is no export that could be made. Choose again.")
    return FilmRequest(
        StripAddress.read(a),
        StripAddress.read(b),
        kind[0],
        first,
        last if query.get("last") else None,
        wanted,
        query.get("blur") == "1",
    )
