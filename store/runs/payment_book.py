"""The book of payments: every call of a model that costs something, before and after.

One file a data folder, ``payments.jsonl``, which only grows. A call is reserved, and synced, before
it is sent, and settled once it is known what it cost. A killed program leaves its reservation
standing, and that counts as spent, since nobody here knows what the service charged for it. Several
processes may write at once: each line is appended under a lock, after what others wrote was read.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter, ValidationError

from store.errors import DamagedLedger, DataUnwritable
from store.jsonl.append_only import divide
from store.jsonl.atomic import make_folder, open_private, sync_folder
from store.jsonl.base_record import Record, tell_fault
from store.jsonl.hash_chain import ChainWalk, seal_line
from store.jsonl.locks import LockHeld, NamedLock
from store.jsonl.mirrors import mirror_of
from store.untrusted.clean_fields import MOST_COUNT, MOST_USD

Cost = Annotated[float, Field(ge=0, le=MOST_USD)]
"""US dollars."""
Count = Annotated[int, Field(ge=0, le=MOST_COUNT)]
PATIENCE_S = 60.0
"""How long another process's line is waited for."""


def study_account(name: str) -> str:
    """Name the account to which all calls for a study count, beside those that pay."""
    return f"study/{name}"


class CallReserved(Record):
    """A call that is about to be made."""

    kind: Literal["reserved"] = "reserved"
    id: str
    at: datetime
    account: str
    """Who pays: a run (``run/<id>``), or a file of answers by its place in the data folder."""
    study: str | None = None
    """The study that the call is made for, to which it counts too; ``None`` in older lines."""
    model: str
    key: str
    """Names the question, and how often it came to an end before. It is sent along, so that a
    service that knows such keys answers the same call once."""
    cost_usd: Cost | None
    """The most that it may cost; ``None`` where no price is known."""
    tokens: Count
    batch: bool = False
    """Whether a batch service is asked: then the call outlives whoever made it."""

    @property
    def accounts(self) -> tuple[str, ...]:
        """Every account that the call counts to."""
        return (self.account,) if self.study is None else (self.account, study_account(self.study))


class CallSettled(Record):
    """What a call came to."""

    kind: Literal["settled"] = "settled"
    id: str
    how: Literal["reported", "estimated", "free"]
    """By the service; by us, of what was sent; or not charged, since the service refused it."""
    ended: bool = True
    """Whether the service is done with it; one that we cut off may still be under way there."""
    cost_usd: Cost | None
    tokens: Count


class BatchSent(Record):
    """Calls that are handed to a batch service together: written before it, and after it.

    A kill between the two leaves the first line alone; the service is then asked for a batch of
    this name.
    """

    kind: Literal["sent"] = "sent"
    at: datetime
    name: str
    """Made up here; it goes along where the service has room for it."""
    batch: str | None = None
    """What the service calls it; ``None`` before it was handed over."""
    calls: tuple[str, ...]
    """Ids of the reserved calls."""


class CarriedOver(Record):
    """What was spent before there was a book, by the ledger or the file of answers."""

    kind: Literal["carried"] = "carried"
    at: datetime
    account: str
    calls: Count
    cost_usd: Cost
    tokens: Count


Line = CallReserved | CallSettled | BatchSent | CarriedOver
PAYMENT: TypeAdapter[Line] = TypeAdapter(Annotated[Line, Field(discriminator="kind")])


@dataclass
class Balance:
    """What was spent, reservations that stand included."""

    cost_usd: float = 0.0
    tokens: int = 0
    calls: int = 0
    standing: int = 0
    """Calls under way, or cut off by a kill: counted at the most that they may cost."""
    estimated: int = 0
    """Calls that were cut off by us, or broke off: counted by what was sent."""
    dearest_usd: float = 0.0
    dearest_tokens: int = 0
    """The dearest call, each side by itself."""

    def add(self, other: Balance) -> None:
        for name in ("cost_usd", "tokens", "calls", "standing", "estimated"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.dearest_usd = max(self.dearest_usd, other.dearest_usd)
        self.dearest_tokens = max(self.dearest_tokens, other.dearest_tokens)

    def count(self, cost_usd: float | None, tokens: int, sign: int = 1) -> None:
        self.cost_usd += sign * (cost_usd or 0.0)
        self.tokens += sign * tokens


class PaymentBook:
    """Appends payments, and adds them up by account.

    Without a path it is kept in memory only. Raises ``DamagedLedger`` where a committed line is no
    payment, or not as it was written.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path
        self._lock = None if path is None else NamedLock(path.with_suffix(".lock"))
        self._begin()
        self._catch_up()

    def _begin(self) -> None:
        """Know nothing of what the file holds."""
        self._offset = 0
        self._walk = ChainWalk()
        self._accounts: dict[str, Balance] = {}
        self._open: dict[str, CallReserved] = {}
        self._ends: Counter[str] = Counter()
        self._sent: dict[str, BatchSent] = {}  # by the id of each call
        self._batched: dict[tuple[str, str], str] = {}  # open calls by account and question

    def balance(self, accounts: Iterable[str]) -> Balance:
        self._catch_up()
        return self._balance(accounts)

    def standing(self) -> list[CallReserved]:
        self._catch_up()
        return list(self._open.values())

    def reserve(
        self,
        make: Callable[[int], CallReserved],
        accounts: Iterable[str],
        allow: Callable[[Balance], None],
        question: str,
    ) -> CallReserved:
        """Write that a call is about to be made, unless ``allow`` raises over the balance.

        ``make`` is told how often the question came to an end before.
        """
        with self._writing():
            allow(self._balance(accounts))
            line = make(self._ends[question])
            self._append(line)
        return line

    def reserved_in_batch(self, accounts: Iterable[str], question: str) -> CallReserved | None:
        """Return the open call of a question to a batch service that one of the accounts pays."""
        self._catch_up()
        calls = (self._batched.get((account, question)) for account in accounts)
        return next((self._open[call] for call in calls if call is not None), None)

    def batch_of(self, call: str) -> BatchSent | None:
        """Return with which others an open call was handed over last; ``None`` before."""
        return self._sent.get(call)

    def keys_of(self, sent: BatchSent) -> list[str]:
        """Return under which keys open calls were handed over."""
        return [self._open[call].key for call in sent.calls if call in self._open]

    def send(self, line: BatchSent) -> None:
        with self._writing():
            self._append(line)

    def settle(self, line: CallSettled) -> None:
        with self._writing():
            self._append(line)

    def carry(self, line: CarriedOver) -> None:
        """Write what was spent before there was a book, once an account."""
        with self._writing():
            if line.account not in self._accounts and line.calls:
                self._append(line)

    def _balance(self, accounts: Iterable[str]) -> Balance:
        total = Balance()
        for account in set(accounts):
            total.add(self._accounts.get(account, Balance()))
        return total

    @contextmanager
    def _writing(self) -> Iterator[None]:
        if self._lock is None or self.path is None:
            yield
            return
        try:
            self._lock.acquire(PATIENCE_S)
        except (LockHeld, OSError) as error:
            raise DataUnwritable(self.path, str(error)) from None
        try:
            self._catch_up()
            yield
        finally:
            self._lock.release()

    def _catch_up(self) -> None:
        if self.path is None or _size(self.path) == self._offset:
            return
        with self.path.open("rb") as file:
            file.seek(self._offset)
            raw = file.read()
        lines, _ = divide(raw, self._walk.end)
        for line in lines:
            self._take_line(self.path, line)
            self._offset += len(line) + 1

    def _take_line(self, path: Path, line: bytes) -> None:
        body, fault = self._walk.take(line)
        try:
            record = PAYMENT.validate_json(body)
            if fault is None:
                self._take(record)
        except ValidationError as error:
            fault = f"{tell_fault(error)}."
        except KeyError:
            fault = "it settles a payment that was never reserved."
        if fault is not None:
            damage = DamagedLedger(path, self._walk.lines, fault)
            self._begin()  # the next look tells it again
            raise damage

    def _append(self, line: Line) -> None:
        if self.path is not None:
            try:
                sealed, _ = seal_line(line.model_dump_json().encode(), self._walk.end)
                self._write(self.path, sealed + b"\n", sync=not isinstance(line, CallSettled))
                self._walk.take(sealed)
            except OSError as error:
                raise DataUnwritable(self.path, error.strerror or str(error)) from None
        self._take(line)

    def _write(self, path: Path, text: bytes, *, sync: bool) -> None:
        """A torn end that a killed writer left is cut off first.

        A settlement is synced with the next reservation: where a power cut takes it, the call
        counts as much as was reserved.
        """
        make_folder(path.parent)
        if (mirror := mirror_of(path)) is not None:
            mirror.put_lines(path, self._offset, text, wait=sync)
        new = not path.exists()
        file = open_private(path, os.O_RDWR | os.O_APPEND | os.O_CREAT)
        try:
            os.ftruncate(file, self._offset)
            if os.write(file, text) < len(text):
                os.ftruncate(file, self._offset)
                raise OSError("the disk is full")
            if sync:
                os.fsync(file)
        finally:
            os.close(file)
        if new:
            sync_folder(path.parent)
        self._offset += len(text)

    def _take(self, line: Line) -> None:
        if isinstance(line, CallSettled):
            self._close(line)
            return
        if isinstance(line, CarriedOver):
            self._carry_over(line)
            return
        if isinstance(line, BatchSent):
            self._sent |= dict.fromkeys(self._open.keys() & set(line.calls), line)
            return
        self._open[line.id] = line
        if line.batch:
            self._batched[line.account, _question(line)] = line.id
        for account in self._balances(line):
            account.count(line.cost_usd, line.tokens)
            account.calls += 1
            account.standing += 1

    def _carry_over(self, line: CarriedOver) -> None:
        account = self._accounts.setdefault(line.account, Balance())
        account.count(line.cost_usd, line.tokens)
        if line.calls:
            account.calls += line.calls
            account.dearest_usd = max(account.dearest_usd, line.cost_usd / line.calls)
            account.dearest_tokens = max(account.dearest_tokens, -(-line.tokens // line.calls))

    def _balances(self, line: CallReserved) -> list[Balance]:
        return [self._accounts.setdefault(name, Balance()) for name in line.accounts]

    def _close(self, line: CallSettled) -> None:
        reserved = self._open.pop(line.id)
        self._sent.pop(line.id, None)
        if reserved.batch:
            self._batched.pop((reserved.account, _question(reserved)), None)
        for account in self._balances(reserved):
            account.count(reserved.cost_usd, reserved.tokens, -1)
            account.count(line.cost_usd, line.tokens)
            account.standing -= 1
            account.estimated += line.how == "estimated"
            if line.how == "reported":
                account.dearest_usd = max(account.dearest_usd, line.cost_usd or 0.0)
                account.dearest_tokens = max(account.dearest_tokens, line.tokens)
        if line.ended:
            self._ends[_question(reserved)] += 1


def _question(line: CallReserved) -> str:
    return line.key.rpartition("-")[0]


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
