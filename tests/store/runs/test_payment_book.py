"""The book of payments: reservations that a kill leaves stand, and several writers share it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from store.errors import DamagedLedger
from store.runs.payment_book import Balance, CallReserved, CallSettled, PaymentBook
from tests.store.samples import START
from tests.store.sealed_lines import refit

WRITER = """
import sys
from pathlib import Path
from store.runs.payment_book import PaymentBook
from tests.store.runs.test_payment_book import reserved
from store.runs.payment_book import CallSettled

book, name = PaymentBook(Path(sys.argv[1])), sys.argv[2]
for number in range(25):
    line = book.reserve(reserved(f"{name}{number}"), ("a",), lambda balance: None, "q")
    if number % 5:
        book.settle(CallSettled(id=line.id, how="reported", cost_usd=0.25, tokens=3))
"""


def reserved(
    name: str, account: str = "a", cost: float | None = 1.0
) -> Callable[[int], CallReserved]:
    return lambda ends: CallReserved(
        id=name, at=START, account=account, model="m", key=f"q-{ends}", cost_usd=cost, tokens=10
    )


def anything(balance: Balance) -> None:
    """Allow it."""


def test_a_reservation_counts_until_it_is_settled(tmp_path: Path) -> None:
    book = PaymentBook(tmp_path / "payments.jsonl")
    for name in "xyz":
        book.reserve(reserved(name), ("a",), anything, "q")
    book.settle(CallSettled(id="x", how="reported", cost_usd=0.5, tokens=4))
    book.settle(CallSettled(id="y", how="estimated", ended=False, cost_usd=0.25, tokens=2))
    again = PaymentBook(tmp_path / "payments.jsonl")  # as after a kill
    balance = again.balance(["a"])
    assert (balance.cost_usd, balance.tokens) == (1.75, 16)
    assert (balance.calls, balance.standing, balance.estimated) == (3, 1, 1)
    assert (balance.dearest_usd, balance.dearest_tokens) == (0.5, 4)
    assert [line.id for line in again.standing()] == ["z"]
    assert again.balance(["b"]) == Balance()


def test_calls_of_several_payers_count_to_their_study_as_well(tmp_path: Path) -> None:
    path = tmp_path / "payments.jsonl"
    book = PaymentBook(path)
    for name, payer in (("x", "run/r1"), ("y", "run/r2")):
        line = reserved(name, payer)(0).model_copy(update={"study": "s"})
        book.reserve(lambda ends, line=line: line, (payer,), anything, "q")  # type: ignore[misc]
    book.reserve(reserved("z", "run/r3"), ("run/r3",), anything, "q")
    book.settle(CallSettled(id="x", how="reported", cost_usd=0.5, tokens=4))
    old = path.read_text("utf-8").replace(',"study":null', "")  # as lines were before
    assert old.count('"study"') == 2
    path.write_text(old, encoding="utf-8")
    refit(path)
    again = PaymentBook(path)
    whole = again.balance(["study/s"])
    assert (whole.cost_usd, whole.calls, whole.standing) == (1.5, 2, 1)
    assert (whole.dearest_usd, whole.dearest_tokens) == (0.5, 4)
    assert again.balance(["run/r1"]).cost_usd == 0.5
    assert again.balance(["run/r3"]).calls == 1


def test_a_call_that_was_cut_off_is_sent_again_under_its_own_key(tmp_path: Path) -> None:
    book = PaymentBook(tmp_path / "payments.jsonl")
    keys = []
    for name, ended in (("killed", None), ("cut", False), ("failed", True), ("last", True)):
        line = book.reserve(reserved(name), ("a",), anything, "q")
        keys.append(line.key)
        if ended is not None:
            book.settle(CallSettled(id=name, how="free", ended=ended, cost_usd=0.0, tokens=0))
    assert keys == ["q-0", "q-0", "q-0", "q-1"]


def test_what_is_not_allowed_leaves_no_line(tmp_path: Path) -> None:
    def nothing(balance: Balance) -> None:
        raise ValueError("the cap is reached")

    book = PaymentBook(tmp_path / "payments.jsonl")
    with pytest.raises(ValueError, match="cap is reached"):
        book.reserve(reserved("x"), ("a",), nothing, "q")
    assert not (tmp_path / "payments.jsonl").exists()


@pytest.mark.parametrize("torn", [b'{"kind":"res', b'{"kind":"reserved"\x00\x00\n'])
def test_a_torn_end_is_cut_off_by_the_next_writer(tmp_path: Path, torn: bytes) -> None:
    path = tmp_path / "payments.jsonl"
    PaymentBook(path).reserve(reserved("x"), ("a",), anything, "q")
    path.write_bytes(path.read_bytes() + torn)
    book = PaymentBook(path)
    assert book.balance(["a"]).calls == 1
    book.reserve(reserved("y"), ("a",), anything, "q")
    assert PaymentBook(path).balance(["a"]).calls == 2


def test_damage_is_named_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "payments.jsonl"
    PaymentBook(path).reserve(reserved("x"), ("a",), anything, "q")
    path.write_bytes(path.read_bytes() + b'{"kind":"other"}\n' + b'{"kind":"reserved"}\n')
    with pytest.raises(DamagedLedger) as caught:
        PaymentBook(path)
    assert caught.value.line == 2


def test_damage_that_was_told_is_told_again(tmp_path: Path) -> None:
    path = tmp_path / "payments.jsonl"
    book = PaymentBook(path)
    book.reserve(reserved("x"), ("a",), anything, "q")
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"kind":"unknown"}\n')
    for _ in range(2):
        with pytest.raises(DamagedLedger, match=r"payments\.jsonl:2 "):
            book.balance(["a"])
    path.write_bytes(whole)  # mended meanwhile
    book.settle(CallSettled(id="x", how="reported", cost_usd=0.5, tokens=4))
    assert PaymentBook(path).balance(["a"]).cost_usd == 0.5


def test_processes_share_a_book(tmp_path: Path) -> None:
    path = tmp_path / "payments.jsonl"
    command = [sys.executable, "-c", WRITER, str(path)]
    writers = [subprocess.Popen([*command, name]) for name in "ab"]
    assert [writer.wait(120) for writer in writers] == [0, 0]
    balance = PaymentBook(path).balance(["a"])
    assert (balance.calls, balance.standing) == (50, 10)
    assert (balance.cost_usd, balance.tokens) == (10 + 40 * 0.25, 100 + 40 * 3)


@pytest.mark.parametrize(
    "told",
    [
        '"kind": "settled", "id": "x", "how": "reported", "cost_usd": -5, "tokens": 1',
        '"kind": "settled", "id": "x", "how": "reported", "cost_usd": 1, "tokens": -10',
        '"kind": "carried", "at": "2025-01-01T00:00:00Z", "account": "a", "calls": 3, '
        '"cost_usd": NaN, "tokens": 1',
    ],
)
def test_no_line_makes_money_of_what_was_spent(tmp_path: Path, told: str) -> None:
    path = tmp_path / "payments.jsonl"
    PaymentBook(path).reserve(reserved("x"), ("a",), anything, "q")
    path.write_bytes(path.read_bytes() + b"{" + told.encode() + b"}\n")
    with pytest.raises(DamagedLedger) as caught:
        PaymentBook(path)
    assert caught.value.line == 2


def test_nothing_that_was_carried_is_no_fault(tmp_path: Path) -> None:
    path = tmp_path / "payments.jsonl"
    path.write_text(
        '{"kind":"carried","at":"2025-01-01T00:00:00Z","account":"a","calls":0,'
        '"cost_usd":0,"tokens":0}\n'
    )
    assert PaymentBook(path).balance(["a"]).calls == 0


def test_a_settlement_of_nothing_is_damage(tmp_path: Path) -> None:
    path = tmp_path / "payments.jsonl"
    line = CallSettled(id="x", how="reported", cost_usd=0.25, tokens=3)
    path.write_text(line.model_dump_json() + "\n", encoding="utf-8")
    with pytest.raises(DamagedLedger, match=r":1 .*it settles a payment that was never reserved\."):
        PaymentBook(path)
