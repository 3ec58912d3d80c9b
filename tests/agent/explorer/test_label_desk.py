"""The routes of the page on which people label: blind, synced, and the same for every window."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
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
from store.runs.labels import LabelFile, draw_path, list_labellers, read_draw, write_draw
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


def answer_all(browser: Browser, answers: Sequence[str]) -> list[dict[str, Any]]:
    told = browser.ask("next")
    bodies = []
    for answer in answers:
        told = browser.ask("answer", question=told["card"]["id"], answer=answer)
        bodies.append(told)
    return bodies


def test_agreement_is_told_when_all_is_answered_for_good(
    browser: Browser, data: DataFolder
) -> None:
    """A figure that moved with each answer would tell what others said to that question."""
    bo = Browser(data, "bo")
    alone = answer_all(bo, ["yes"] * 20)[-1]
    assert (alone["agreement"], alone["card"]) == (None, None)
    slip = bo.ask("undo", question=alone["progress"]["last"])
    assert slip["undone"], "nothing was told yet"
    bo.ask("answer", question=slip["card"]["id"], answer="yes")
    *before, last = answer_all(browser, ["no", "yes"] * 10)
    assert [told["agreement"] for told in before] == [None] * 19
    # 20 pairs: 10 agree on yes, 10 differ; 30 yes and 10 no among 40 answers
    alpha = 1 - (20 / 40) / (2 * 30 * 10 / (40 * 39))
    assert last["agreement"] == {"with": ["bo"], "questions": 20, "alpha": pytest.approx(alpha)}
    query = {"draw": "r-secret-1", "question": last["progress"]["last"]}
    for by in ("anna", "bo"):
        refusal = browser.post("undo", by=by, **query)
        assert refusal.status_code == 409
        assert "Type: python -m analysis labels r-secret-1" in refusal.json()["error"]
    assert len(LabelFile(data, "r-secret-1", "anna").read().standing) == 20
    bo.close()


def test_a_draw_that_was_replaced_is_read_anew(browser: Browser, data: DataFolder) -> None:
    path = draw_path(data, "r-secret-1")
    desk = LabelDesk(data)
    assert len(desk.open_session("r-secret-1", "anna").draw.questions) == 20
    draw = read_draw(path)
    write_draw(data, replace(draw, questions=draw.questions[:7]))
    assert len(desk.open_session("r-secret-1", "anna").draw.questions) == 7


def test_a_draw_of_an_unknown_strategy_is_told(browser: Browser, data: DataFolder) -> None:
    draw = read_draw(draw_path(data, "r-secret-1"))
    header = draw.header.model_copy(update={"strategy": "by-tarot"})
    write_draw(data, replace(draw, header=header))
    answer = browser.post("answer", draw="r-secret-1", by="anna")
    assert (answer.status_code, "'by-tarot', which is not here" in answer.text) == (409, True)


def test_a_name_with_blanks_around_it_is_nobodys(browser: Browser, data: DataFolder) -> None:
    card = browser.ask("next")["card"]["id"]
    query = {"draw": "r-secret-1", "question": card, "answer": "yes"}
    for by in (" anna", "anna ", "", "majority"):
        assert browser.post("answer", by=by, **query).status_code == 409, by
    assert list_labellers(draw_path(data, "r-secret-1")) == []


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
