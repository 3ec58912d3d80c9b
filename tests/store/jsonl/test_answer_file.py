"""A keyed file of answers: one header a sitting, resumed by key, torn ends dropped."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import pytest
from pydantic import Field, TypeAdapter

from store.errors import DamagedLedger, DataUnreadable, RunLocked
from store.jsonl.answer_file import KeyedFormat, KeyedWriter
from store.jsonl.base_record import Record
from store.runs.ledger_lines import Missing, Usage
from tests.store.sealed_lines import refit


class Taster(Record):
    """Header of a made-up kind of question."""

    kind: Literal["taster"] = "taster"
    model: str


class Sip(Record):
    """An answer to it."""

    kind: Literal["sip"] = "sip"
    cup: int
    missing: Missing | None = None
    usage: Usage = Usage()

    @property
    def key(self) -> int:
        return self.cup


TASTED: KeyedFormat[Taster, Sip] = KeyedFormat(
    Taster, TypeAdapter(Annotated[Taster | Sip, Field(discriminator="kind")])
)


def opened(path: Path, model: str = "m") -> KeyedWriter[Taster, Sip]:
    return KeyedWriter(path, Taster(model=model), TASTED.read)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tasted" / "m.jsonl"


def test_each_sitting_writes_its_header_before_its_first_answers(path: Path) -> None:
    with opened(path) as first:
        assert (first.begun, first.kept, first.asked) == (None, (), set())
        first.append([])
        assert path.read_bytes() == b""
        first.append([Sip(cup=1), Sip(cup=2)])
        first.append([Sip(cup=3)])
    with opened(path, "other") as second:
        assert second.begun == Taster(model="m")
        assert [line.cup for line in second.kept] == [1, 2, 3]
        assert second.asked == {1, 2, 3}
        second.append([Sip(cup=4)])
        assert 4 in second.asked
    kinds = [line.partition(b'",')[0] for line in path.read_bytes().splitlines()]
    assert kinds == [b'{"kind":"' + kind for kind in (b"taster", *[b"sip"] * 3, b"taster", b"sip")]
    header, lines = TASTED.read(path)
    assert header == Taster(model="m")
    assert [line.cup for line in lines] == [1, 2, 3, 4]


def test_what_no_reply_came_to_is_due_again_up_to_the_declared_number(path: Path) -> None:
    with opened(path) as file:
        file.append([Sip(cup=1, missing="failed"), Sip(cup=2, missing="refused"), Sip(cup=3)])
    with opened(path) as file:
        assert [cup for cup in range(5) if file.due(cup, 3)] == [0, 1, 4]
        assert [file.attempts(cup) for cup in range(5)] == [0, 1, 1, 1, 0]
        file.append([Sip(cup=1, missing="timed_out")])
        assert file.due(1, 3)
        assert not file.due(1, 2)
        file.append([Sip(cup=1)])
        assert not file.due(1, 99)


def test_a_torn_end_is_dropped_and_written_over(path: Path) -> None:
    with opened(path) as file:
        file.append([Sip(cup=1), Sip(cup=2)])
    path.write_bytes(path.read_bytes()[:-5])
    with opened(path) as file:
        assert file.asked == {1}
        assert file.dropped > 0
        file.append([Sip(cup=2)])
    assert [line.cup for line in TASTED.read(path)[1]] == [1, 2]


def test_a_file_that_cannot_be_gone_on_with_is_named_and_let_go_of(path: Path) -> None:
    with opened(path) as file:
        file.append([Sip(cup=1), Sip(cup=2)])
        with pytest.raises(RunLocked, match="Run m is being written"):
            opened(path)
    head, first, last = path.read_bytes().splitlines()
    for lines, at, words in (
        ((first, last), 1, "does not start with who answers"),
        ((head, first.replace(b"cup", b"mug"), last), 2, "cup"),
    ):
        path.write_bytes(b"".join(line + b"\n" for line in lines))
        refit(path)
        for _ in range(2):  # the refusal gave the lock back
            with pytest.raises(DamagedLedger, match=words) as caught:
                opened(path)
            assert caught.value.line == at
    with pytest.raises(DataUnreadable):
        TASTED.read(path.with_name("absent.jsonl"))
