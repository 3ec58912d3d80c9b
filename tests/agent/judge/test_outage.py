"""Many questions to a service that fails in every way, with kills between: none is lost.

What is shown, by the service's own record of what it charged:

- Every question gets its answer, which is kept once.
- A reply that reached this program is never bought again.
- A service that honours idempotency keys makes exactly one completion for each question, even where
  the reply broke off, came too late or never came, or the asking process was killed.
- Without keys a completion whose reply never came is bought again. Every such charge has its own
  line in the book.
- What the cap counts is never below what was charged: tokens, and charges key by key.
- What it counts above that is calls whose end nobody here knows: at most those, each by its line.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import psutil
import pytest

from store.runs.data_folder import DataFolder
from store.runs.payment_book import CallReserved, CallSettled, PaymentBook
from store.runs.rejudgements import judgement_files, read_judgements
from tests.agent.models.chaos_server import RECEIVED, SENT, ChaosServer
from tests.store.samples import keep_run

AT_ONCE = 8
LIMIT_S = 3600
"""Of the whole drill."""


def ask(root: Path, url: str, repeats: int, kills: int, most: int) -> tuple[int, int]:
    """Ask until all is answered, killing as often; return the sittings and the kills."""
    env = {**os.environ, "LOOPBACK_BASE_URL": f"{url}/chaos/v1", "LOOPBACK_API_KEY": "none"}
    command = [sys.executable, "-m", "tests.agent.models.asking_child", str(root), str(repeats)]
    pipe = subprocess.PIPE
    with (root / "log").open("ab") as log:
        forks = subprocess.Popen(command, env=env, stdin=pipe, stdout=pipe, stderr=log, text=True)
    try:
        return _sit_and_kill(forks, root, kills, most)
    finally:
        forks.communicate()


def _sit_and_kill(
    forks: subprocess.Popen[str], root: Path, kills: int, most: int
) -> tuple[int, int]:
    assert forks.stdin is not None
    assert forks.stdout is not None
    book, killed, sittings = DataFolder(root).payments, 0, 0
    rng = random.Random(7)
    while True:
        begun = book.stat().st_size if book.exists() else 0
        forks.stdin.write("sit\n")
        forks.stdin.flush()
        child = int(forks.stdout.readline())
        sittings += 1
        if killed < kills:
            grow = rng.randrange(1, most)  # bytes of the book: kills hit calls under way
            while not _ended(child) and (not book.exists() or book.stat().st_size < begun + grow):
                time.sleep(0.002)
            if not _ended(child):
                os.kill(child, signal.SIGKILL)
        code = int(forks.stdout.readline())
        killed += code == -signal.SIGKILL
        if code == 0:
            return sittings, killed
        assert code in (3, -signal.SIGKILL), (root / "log").read_text("utf-8")[-2000:]


def _ended(child: int) -> bool:
    """Whether a sitting is over; its parent has then taken its end."""
    return not psutil.pid_exists(child)


def payments(root: Path) -> tuple[list[CallReserved], dict[str, CallSettled]]:
    """Every call that was reserved, and what the settled ones came to, by id."""
    kinds: dict[str, Any] = {"reserved": CallReserved, "settled": CallSettled}
    raw = [json.loads(line) for line in DataFolder(root).payments.read_bytes().splitlines()]
    lines = [kinds[each["kind"]].model_validate(each) for each in raw]
    settled = {line.id: line for line in lines if isinstance(line, CallSettled)}
    return [line for line in lines if isinstance(line, CallReserved)], settled


@pytest.mark.drill
@pytest.mark.timeout(LIMIT_S)
@pytest.mark.parametrize(
    "honours", [True, pytest.param(False, marks=pytest.mark.drill)], ids=["keys", "no-keys"]
)
@pytest.mark.parametrize(
    ("videos", "repeats", "kills"),
    [(5, 3, 2), pytest.param(250, 8, 50, marks=pytest.mark.drill)],
)
def test_an_outage_loses_nothing_and_every_charge_is_booked(
    tmp_path: Path, videos: int, repeats: int, kills: int, honours: bool
) -> None:
    data, questions = DataFolder(tmp_path), videos * repeats
    keep_run(data, "r1", [f"#{number:06x}" for number in range(videos)])
    with ChaosServer(seed=5, honours=honours).running() as server:
        assert isinstance(server, ChaosServer)
        most = 300 * questions // kills  # bytes of the book between two kills
        sittings, killed = ask(tmp_path, server.url, repeats, kills, most)

    # nothing is lost for good
    (file,) = judgement_files(data.run_dir("r1"))
    answers = read_judgements(file).asked
    assert len(answers) == questions
    assert {line.judgement.answer for line in answers} == {"yes"}
    assert {line.judgement.served for line in answers} == {"tiny"}

    # a reply that came is not bought again, and a service that honours keys makes one completion
    reserved, settled = payments(tmp_path)
    reported = Counter(
        line.key.rpartition("-")[0]
        for line in reserved
        if line.id in settled and settled[line.id].how == "reported"
    )
    assert set(reported.values()) == {1}
    standing = [line for line in reserved if line.id not in settled]
    assert len(standing) <= killed * AT_ONCE
    assert questions - len(reported) <= len(standing)
    made = server.good_of()
    assert len(made) == questions
    assert min(made.values()) == 1
    assert not honours or max(made.values()) == 1

    # every request has its line, and every charge one that is not free, key by key
    assert server.by_key <= Counter(line.key for line in reserved)
    counted = Counter(
        line.key for line in reserved if line.id not in settled or settled[line.id].how != "free"
    )
    assert server.charges <= counted
    each = SENT + RECEIVED
    assert all(line.tokens == each for line in settled.values() if line.how == "reported")

    # what the cap counts is never below what the service charged
    balance = PaymentBook(data.payments).balance([line.account for line in reserved])
    assert balance.tokens >= each * server.charges.total()
    assert balance.calls == len(reserved)
    print(  # noqa: T201 - figures of the drill
        f"{questions} questions, {sittings} sittings, {killed} kills; {server.by_key.total()} "
        f"requests {dict(server.ways)}; charged {server.charges.total()}: "
        f"{server.good.total()} completions for {len(made)} questions (at most "
        f"{max(made.values())} each) and garbage {server.charges.total() - server.good.total()}; "
        f"booked {len(reserved)} calls: {reported.total()} reported, {balance.estimated} "
        f"estimated, {balance.standing} standing; counted {balance.tokens:,} tokens, charged "
        f"{each * server.charges.total():,}"
    )
