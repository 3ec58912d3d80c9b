"""Answers the page on which a person labels: the next question, an answer, an undo.

Nothing that is sent from here was said by a judge. A label is on the disk before it is
acknowledged.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from agent.errors import AgentError, BadConfig, UnknownName
from agent.evaluation.label_draw import LabelPlan, draw_questions, name_draw
from agent.evaluation.label_exchange import ANSWERS
from agent.evaluation.label_session import DrawnSteps, LabelSession
from agent.evaluation.named_ledgers import find_ledgers
from analysis.data.people_labels import ANSWER_CODES, UNLABELLED
from analysis.estimators.label_agreement import krippendorff_alpha
from store.errors import RunNotFound, StoreError
from store.jsonl.paths import is_name
from store.runs.data_folder import DataFolder
from store.runs.labels import LabelDraw, draw_path, list_draws, read_draw, write_draw

_NEVER = {"Cache-Control": "no-store"}
_AHEAD = 3
"""Questions whose pictures the browser may fetch before they are asked."""
_LEAST_SHARED = 10
"""Questions from which on an agreement is told."""
Stamp = tuple[tuple[int, int], ...]


class LabelDesk:
    """Sessions of all people who label in this explorer; several threads may ask it at once."""

    def __init__(self, data: DataFolder) -> None:
        self._data = data
        self._drawn: dict[str, tuple[Stamp, LabelDraw, DrawnSteps]] = {}
        self._lock = threading.Lock()

    def open_session(self, name: str, by: str) -> LabelSession:
        """Open a person's session over a draw; raises ``UnknownName`` and ``BadConfig``."""
        known = {path.parent.name: path for path in list_draws(self._data)}
        if name not in known:
            raise UnknownName("draw", name, known, "Type: python -m agent label STUDY --by anna")
        with self._lock:
            kept = self._drawn.get(name)
            if kept is None or kept[0] != self._stamp(known[name], kept[1]):
                draw = read_draw(known[name])
                stamp = self._stamp(known[name], draw)
                kept = self._drawn[name] = stamp, draw, DrawnSteps.read(self._data, draw)
        return LabelSession(self._data, kept[1], by, kept[2])

    def _stamp(self, path: Path, draw: LabelDraw) -> Stamp:
        """What tells that a draw or its ledgers changed, as when a video is forgotten."""
        found = []
        for file in (path, *map(self._data.ledger_path, draw.header.runs)):
            try:
                state = file.stat()
                found.append((state.st_mtime_ns, state.st_size))
            except OSError:
                found.append((0, 0))
        return tuple(found)

    def make_draw(self, runs: str, questions: int, *, everyone: bool) -> LabelDraw:
        """Draw questions about a study or a run; the draw that is there stays as it is."""
        plan = LabelPlan(questions=questions, everyone=everyone)
        plan.check()
        if not is_name(runs):  # a path would lead to another folder's run
            raise RunNotFound(runs[:40], [])
        arms = ("treatment",) if everyone else None
        ledgers = find_ledgers(self._data, [runs], [], arms)
        path = draw_path(self._data, name_draw(self._data, runs, ledgers, plan.seed))
        if path.exists():
            return read_draw(path)
        draw = draw_questions(ledgers, plan, path.parent.name, datetime.now(UTC))
        write_draw(self._data, draw)
        return draw

    # What the page asks for, each in a thread of its own

    def answer_next(self, request: Request) -> Response:
        return self._answer(request, lambda _: {})

    def answer_label(self, request: Request) -> Response:
        """Keep a label; one that stands stays, and the page is told so."""
        query = request.query_params

        def keep(session: LabelSession) -> dict[str, bool]:
            given = query.get("answer", "")
            if given not in ANSWERS:
                raise UnknownName("answer", given[:40], ANSWERS, "Press y, n or space.")
            at = datetime.now(UTC)
            return {"kept": session.answer(query.get("question", ""), ANSWERS[given], at)}

        return self._answer(request, keep)

    def answer_undo(self, request: Request) -> Response:
        """Take a label back, unless the agreement was told: else it would tell others' answers."""
        name = request.query_params.get("question", "")

        def undo(session: LabelSession) -> dict[str, bool]:
            if _agreement(session) is not None:
                raise BadConfig(
                    "You know how far you agree with others, so your answers stand. "
                    f"Type: python -m analysis labels {session.draw.header.name}"
                )
            return {"undone": session.undo(name, datetime.now(UTC))}

        return self._answer(request, undo)

    def _answer(self, request: Request, act: Callable[[LabelSession], dict[str, bool]]) -> Response:
        """Do what was asked, and tell how far the person is and what comes next."""
        query = request.query_params
        try:
            session = self.open_session(query.get("draw", ""), query.get("by", ""))
            done = act(session)
        except (AgentError, StoreError) as error:
            return JSONResponse({"error": str(error)}, 409, headers=_NEVER)
        cards = session.find_open(1 + _AHEAD)
        progress = session.count_progress()
        told = {
            "progress": {**asdict(progress), "open": progress.open},
            "card": asdict(cards[0]) if cards else None,
            "ahead": [frame for card in cards[1:] for frame in card.frames],
            "agreement": _agreement(session),
        }
        return JSONResponse({**done, **told}, headers=_NEVER)

    def answer_draw(self, request: Request) -> Response:
        query = request.query_params
        count = query.get("questions", "300")
        try:
            draw = self.make_draw(
                query.get("runs", ""),
                int(count) if count.isdecimal() and len(count) < 7 else 300,
                everyone=query.get("everyone") == "1",
            )
        except (AgentError, StoreError) as error:
            return JSONResponse({"error": str(error)}, 409, headers=_NEVER)
        return JSONResponse({"draw": draw.header.name}, headers=_NEVER)


def _agreement(session: LabelSession) -> dict[str, Any] | None:
    """How far people agree; ``None`` while this person has open questions, or few can tell.

    Told after each answer, it would give away what others said.
    """
    if session.count_progress().open:
        return None
    given = {by: labels for by, labels in session.read_shared().items() if labels}
    if len(given) < 2 or session.by not in given:
        return None
    questions = sorted(given[session.by])
    answers = np.array(
        [
            [ANSWER_CODES[labels[one]] if one in labels else UNLABELLED for one in questions]
            for labels in given.values()
        ],
        dtype=np.int64,
    )
    shared = int(((answers >= 0).sum(0) > 1).sum())
    alpha = krippendorff_alpha(answers)
    people = [name for name in given if name != session.by]
    if shared < _LEAST_SHARED or np.isnan(alpha):
        return None
    return {"with": people, "questions": shared, "alpha": alpha}
