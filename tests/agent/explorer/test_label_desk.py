"""The routes of the page on which people label: blind, synced, and the same for every window."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from agent.explorer.explorer_server import ExplorerRoutes
from agent.explorer.label_desk import LabelDesk
from agent.explorer.workbench import Workbench
from store.api.data_reader import DataReader
from store.frames.frame_store import FrameStore
from store.privacy.forget import forget
from store.privacy.forget_plan import Request
from store.runs.data_folder import DataFolder
from store.runs.labels import LabelFile, draw_path, read_draw
from store.runs.ledger import LedgerWriter
from store.runs.ledger_lines import Judgement, Video, Windows
from store.runs.rejudgements import (
    JudgementWriter,
    RejudgedAnswer,
    RejudgementHeader,
    RejudgementKey,
)
from tests.store.samples import COLOURS, START, finished, frame, jpeg, started, step

SECRETS = ("0.7391", "0.2609", "quokka", "wombat", "numbat", "scripted", "treatment", "r-secret")
VIDEOS = 24


def keep_runs(data: DataFolder, *, flipped: bool) -> None:
    """One run whose judge says yes to every third video, or to all others."""
    frames = FrameStore(data.frames_dir)
    windows = Windows(before=VIDEOS // 2, adapt=0, after=VIDEOS // 2)
    with LedgerWriter(data.ledger_path("r-secret"), fsync=False) as writer:
        begun = started("r-secret", windows=windows)
        writer.append(begun)
        for position in range(VIDEOS):
            picture = jpeg(COLOURS[position % len(COLOURS)], position)
            frames.put(picture, sync=False)
            yes = (position % 3 == 0) != flipped
            said = Judgement(
                answer="yes" if yes else "no",
                p_yes=0.7391 if yes else 0.2609,
                reason="a quokka",
                description="a wombat",
                reply="numbat: yes" if yes else "numbat: no",
            )
            video = Video(id=f"v{position}", caption=f"words {position}")
            phase = "before" if position < VIDEOS // 2 else "after"
            writer.append(step(position, frame(picture), judgement=said, video=video, phase=phase))
        writer.append(finished(VIDEOS))
    header = RejudgementHeader(
        run_id="r-secret",
        model="scripted/again",
        strategy="simple",
        prompts={},
        seed=1,
        at=START,
        code_version="0.1.0",
    )
    with JudgementWriter(header.path(data.run_dir("r-secret")), header) as again:
        key = RejudgementKey("p12", 0, frame(jpeg(COLOURS[0], 0)).sha256)
        said = Judgement(answer="no", p_yes=0.2609, reason="quokka")
        again.append([RejudgedAnswer.of(key, said)])


@pytest.fixture
def data(tmp_path: Path) -> DataFolder:
    folder = DataFolder(tmp_path / "data")
    keep_runs(folder, flipped=False)
    return folder


class Browser:
    """Asks as the page does, and keeps every body."""

    def __init__(self, data: DataFolder, by: str = "anna") -> None:
        self._reader = DataReader.open(data.root)
        routes = ExplorerRoutes(Workbench(self._reader.__enter__()), "key").routes()
        self._client = TestClient(Starlette(routes=routes))
        self.by = by
        self.bodies: list[str] = []

    def close(self) -> None:
        self._client.close()
        self._reader.__exit__(None, None, None)

    def take(self, answer: Any) -> Any:
        self.bodies.append(answer.text)
        return answer

    def page(self, path: str) -> Any:
        return self.take(self._client.get(f"/page/{path}"))

    def post(self, what: str, **query: str) -> Any:
        return self.take(self._client.post(f"/api/labels/{what}", params=query))

    def ask(self, what: str, **query: str) -> dict[str, Any]:
        query = {"draw": "r-secret-1", "by": self.by, **query}
        way = self._client.get if what == "next" else self._client.post
        answer = self.take(way(f"/api/labels/{what}", params=query))
        assert answer.status_code == 200, answer.text
        told: dict[str, Any] = answer.json()
        return told


@pytest.fixture
def browser(data: DataFolder) -> Iterator[Browser]:
    one = Browser(data)
    assert one.post("draw", runs="r-secret", questions="20").json() == {"draw": "r-secret-1"}
    yield one
    one.close()


def walk(browser: Browser) -> None:
    """Everything that the page asks for, from the list to the last label, with undos."""
    browser.page("labels/r-secret-1?by=anna")
    told = browser.ask("next")
    for number in range(20):
        answer = ("yes", "no", "unsure")[number % 3]
        told = browser.ask("answer", question=told["card"]["id"], answer=answer)
        if number % 5 == 0:
            told = browser.ask("undo", question=told["progress"]["last"])
            told = browser.ask("answer", question=told["card"]["id"], answer=answer)
    assert told["card"] is None


def test_no_body_tells_what_a_judge_said(browser: Browser) -> None:
    walk(browser)
    assert len(browser.bodies) == 1 + 1 + 1 + 20 + 2 * 4
    for body in browser.bodies[1:]:
        for secret in SECRETS[:-1]:
            assert secret not in body, secret
        assert "r-secret" not in body.replace("r-secret-1", ""), "the draw's name is typed"


def test_bodies_are_the_same_whatever_the_judge_said(tmp_path: Path) -> None:
    bodies = []
    for flipped in (False, True):
        data = DataFolder(tmp_path / str(flipped))
        keep_runs(data, flipped=flipped)
        browser = Browser(data)
        browser.post("draw", runs="r-secret", questions="20")
        walk(browser)
        browser.close()
        bodies.append(browser.bodies)
    assert bodies[0] == bodies[1]


def test_a_label_is_kept_once_and_an_undo_opens_the_question(
    browser: Browser, data: DataFolder
) -> None:
    first = browser.ask("next")["card"]["id"]
    told = browser.ask("answer", question=first, answer="yes")
    assert (told["kept"], told["progress"]["labelled"], told["progress"]["open"]) == (True, 1, 19)
    again = browser.ask("answer", question=first, answer="no")
    assert (again["kept"], again["progress"]["labelled"]) == (False, 1)
    file = LabelFile(data, "r-secret-1", "anna")
    assert file.read().standing[first].answer == "yes"
    back = browser.ask("undo", question=first)
    assert (back["undone"], back["card"]["id"], back["progress"]["last"]) == (True, first, None)
    assert not browser.ask("undo", question=first)["undone"]
    assert browser.ask("answer", question=first, answer="no")["kept"]
    assert file.read().standing[first].answer == "no"
    assert file.path.read_bytes().count(b"\n") == 3


def test_two_windows_of_one_person_see_each_others_labels(
    browser: Browser, data: DataFolder
) -> None:
    other = Browser(data)
    first = other.ask("next")["card"]["id"]
    browser.ask("answer", question=first, answer="yes")
    told = other.ask("answer", question=first, answer="no")
    assert not told["kept"]
    assert told["card"]["id"] != first
    other.close()


def test_agreement_is_of_what_this_person_has_answered(browser: Browser, data: DataFolder) -> None:
    bo = Browser(data, "bo")
    told = bo.ask("next")
    for _ in range(20):
        told = bo.ask("answer", question=told["card"]["id"], answer="yes")
    assert told["agreement"] is None
    bo.close()
    told = browser.ask("next")
    for number in range(12):
        assert told["agreement"] is None or told["agreement"]["questions"] == number
        answer = "yes" if number % 2 else "no"
        told = browser.ask("answer", question=told["card"]["id"], answer=answer)
    assert told["agreement"]["questions"] == 12
    # 12 pairs: 6 agree on yes, 6 differ; 18 yes and 6 no among 24 answers
    assert told["agreement"]["alpha"] == pytest.approx(1 - (12 / 24) / (2 * 18 * 6 / (24 * 23)))
    assert told["agreement"]["with"] == ["bo"]
    shared = LabelDesk(data).open_session("r-secret-1", "anna").read_shared()
    assert {by: len(labels) for by, labels in shared.items()} == {"anna": 12, "bo": 12}


def test_a_forgotten_video_is_asked_about_no_more(browser: Browser, data: DataFolder) -> None:
    before = browser.ask("next")
    draw = read_draw(draw_path(data, "r-secret-1"))
    question = next(one for one in draw.questions if one.id == before["card"]["id"])
    forget(data, Request(asked="video", value=f"v{question.position}", at=START))
    told = browser.ask("next")
    assert told["card"]["id"] != question.id
    assert (told["progress"]["questions"], told["progress"]["gone"]) == (19, 1)


def test_what_makes_no_sense_is_told(browser: Browser) -> None:
    wrong = [
        ("answer", {"draw": "r-secret-1", "by": "anna", "question": "q0", "answer": "yes"}),
        ("answer", {"draw": "r-secret-1", "by": "../x", "question": "q0", "answer": "yes"}),
        ("answer", {"draw": "nowhere", "by": "anna"}),
        ("draw", {"runs": "nowhere", "questions": "9"}),
    ]
    for what, query in wrong:
        answer = browser.post(what, **query)
        assert answer.status_code == 409, answer.text
        assert answer.json()["error"]
    card = browser.ask("next")["card"]["id"]
    query = {"draw": "r-secret-1", "by": "anna", "question": card, "answer": "perhaps"}
    assert browser.post("answer", **query).status_code == 409
    assert browser.ask("next")["progress"]["labelled"] == 0
    assert browser.page("labels/nowhere?by=anna").status_code == 404
    assert browser.page("labels/..?by=anna").status_code == 404
    assert browser.page("labels/r-secret-1?by=../x").status_code == 404


def test_the_list_tells_who_has_answered_how_much(browser: Browser) -> None:
    told = browser.ask("next")
    browser.ask("answer", question=told["card"]["id"], answer="yes")
    page = browser.page("labels").text
    assert "r-secret-1" in page
    assert "1 of 20" in page


def test_a_damaged_draw_is_named_and_the_others_are_there(
    browser: Browser, data: DataFolder
) -> None:
    path = data.labels_dir / "broken-1" / "draw.jsonl"
    path.parent.mkdir()
    path.write_text("{}\n")
    page = browser.page("labels").text
    assert "broken-1" in page
    assert "r-secret-1" in page


def test_a_desk_reads_ledgers_once(data: DataFolder, browser: Browser) -> None:
    desk = LabelDesk(data)
    first = desk.open_session("r-secret-1", "anna")
    assert desk.open_session("r-secret-1", "bo").drawn is first.drawn
