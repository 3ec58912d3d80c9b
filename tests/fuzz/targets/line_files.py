"""Doors of what is kept: ledgers and every other file of JSON lines or whole JSON."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from agent.daemon.journal.damage import mend_journal, read_journal
from agent.daemon.journal.run_tally import RunTally
from agent.daemon.journal.state import State
from agent.errors import BadConfig
from agent.study.matrix import read_draws
from store.errors import StoreError
from store.jsonl.append_only import committed
from store.remote.cache_state import CacheState
from store.remote.object_names import arrange, file_of, is_mirrored
from store.remote.object_store import StoredObject
from store.results.hallucination_probes import PROBE_FORMAT, read_probes
from store.results.preference_pairs import PAIR_FORMAT, read_pairs
from store.results.trainings import TrainingRun, recall
from store.results.value_spectrum import Retrieval
from store.runs import ledger
from store.runs.canary_log import find_canary_damage, read_canary, read_newest
from store.runs.data_folder import DataFolder
from store.runs.labels import (
    DRAW_LINE,
    LABEL_LINE,
    Label,
    LabelFile,
    read_draw,
)
from store.runs.payment_book import PaymentBook
from store.runs.rejudgements import JUDGEMENT_LINE, read_judgements, read_known
from store.runs.study_looks import read_looks, read_tested
from tests.fuzz.guard import Target

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def _again(kind: TypeAdapter[Any], record: Any) -> None:
    """What was read can be written, and read again as the same."""
    assert kind.validate_json(record.model_dump_json(by_alias=True)) == record


def _written(place: Path, name: str, content: bytes) -> Path:
    path = place / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def _read_ledger(content: bytes, place: Path) -> object:
    path = _written(place, "runs/r1/ledger.jsonl", content)
    summary = ledger.summarise(path)
    tally = RunTally("r1", path)
    for line in committed(content)[0]:
        tally.add_line(line)
    kept = ledger.read(path)
    for record in ledger.read_lines(path)[0]:
        _again(TypeAdapter(ledger.LedgerLine), record)
    for step in kept.steps:
        judged = step.judgement
        assert judged.p_yes is None or 0 <= judged.p_yes <= 1, "p_yes is no probability"
        assert (judged.usage.cost_usd or 0) >= 0
    assert summary is not None
    return (
        summary.status,
        summary.steps,
        kept.next_position,
        [s.judgement.answer for s in kept.seen],
    )


def _read_judgements(content: bytes, place: Path) -> object:
    path = _written(place, "a.jsonl", content)
    read_known(path)
    found = read_judgements(path)
    for record in (*found.sittings, *found.lines):
        _again(JUDGEMENT_LINE, record)
    return found.judge.slug, found.judge.manner, found.count_unasked("p~t"), len(found.asked)


def _read_labels(content: bytes, place: Path) -> object:
    """Labels can be added to and taken back from whatever can be read."""
    data = DataFolder(place)
    _written(place, "labels/d/by-anna.jsonl", content)
    file = LabelFile(data, "d", "anna")
    log = file.read()
    for label in log.standing.values():
        _again(LABEL_LINE, label)
    added = file.add([Label(question="q1", answer="yes", by="anna", at=NOW)])
    if b"9999" in content:
        return added, sorted(log.standing)  # nothing is later than what was said
    assert file.undo("q1", NOW)
    assert file.add([Label(question="q1", answer="no", by="anna", at=NOW)]) == 1
    assert file.read().standing["q1"].answer == "no"
    return added, sorted(log.standing)


def _read_draw(content: bytes, place: Path) -> object:
    found = read_draw(_written(place, "d/draw.jsonl", content))
    for record in (found.header, *found.strata, *found.questions):
        _again(DRAW_LINE, record)
    return len(found.questions)


def _read_payments(content: bytes, place: Path) -> object:
    path = _written(place, "payments.jsonl", content)
    book = PaymentBook(path)
    told = []
    for call in book.standing():
        balance = book.balance(call.accounts)
        told.append(balance)
        assert min(balance.cost_usd, balance.tokens, balance.calls, balance.standing) >= 0, balance
        book.batch_of(call.id)
    for balance in book._accounts.values():
        assert min(balance.cost_usd, balance.tokens, balance.calls, balance.standing) >= 0, balance
    return told


def _read_canary(content: bytes, place: Path) -> object:
    data = DataFolder(place)
    _written(place, "canary/tiktok.jsonl", content)
    damage = find_canary_damage(data)
    return len(read_canary(data, "tiktok")), read_newest(data), len(damage)


def _read_journal(content: bytes, place: Path) -> object:
    path = _written(place, "daemon/journal.jsonl", content)
    events, reader = read_journal(path)
    state = State()
    for event in events:
        state.apply_event(event)
    if mend_journal(path, NOW) is not None:
        assert not read_journal(path)[1].lost, "a mended journal is damaged"
    return reader.lost, reader.may_hold, len(events)


def _reader_of(name: str, read: Callable[[Path], Any]) -> Callable[[bytes, Path], object]:
    def run(content: bytes, place: Path) -> object:
        return read(_written(place, name, content))

    return run


def _read_pairs(path: Path) -> object:
    found = read_pairs(path)
    for line in (found.maker, *found.told.values(), *found.pairs):
        _again(PAIR_FORMAT.line, line)
    return found.maker.slug, len(found.counted), [pair.name for pair in found.pairs]


def _read_probes(path: Path) -> object:
    found = read_probes(path)
    _again(PROBE_FORMAT.line, found.prober)
    return found.prober.slug, len(found.said)


def _read_spectrum(path: Path) -> object:
    found = Retrieval.model_validate_json(path.read_bytes())
    assert Retrieval.model_validate_json(found.model_dump_json()) == found
    return found.slug, len(found.shown), [keyword.match for keyword in found.keywords]


def _read_training(path: Path) -> object:
    found = recall(path, TrainingRun)
    assert found is None or TrainingRun.model_validate_json(found.model_dump_json()) == found
    return found


def _read_study(content: bytes, place: Path) -> object:
    """Looks and sizes; the same bytes stand for both, and for the draws."""
    found: list[object] = []
    for name, read in (("looks.json", read_looks), ("tested.json", read_tested)):
        _written(place, name, content)
        try:
            found.append(read(place))
        except StoreError as error:
            found.append(str(error)[-80:])
    try:
        found.append(read_draws(_written(place, "draws.json", content)))
    except BadConfig as error:
        found.append(str(error)[-80:])
    return found


def _read_cache(content: bytes, place: Path) -> object:
    _written(place, ".mirror-state.json", content)
    _written(place, ".mirror-notes.txt", content)
    state = CacheState.read(place)
    state.note("runs/r1/ledger.jsonl")
    state.save()
    return sorted(state.files)


def _arrange(content: bytes, _: Path) -> object:
    names = content.decode("utf-8", "replace").split("\n")[:50]
    found = arrange(StoredObject(name, len(name), "tag", NOW) for name in names)
    starts = [part.start for part in found.parts]
    assert starts == sorted(starts)
    return [file_of(name) for name in names], list(map(is_mirrored, names)), found.size


_LINES = ("store/jsonl/append_only.py", "store/jsonl/answer_file.py", "store/jsonl/base_record.py")
_KEPT = (StoreError,)


def _lines(name: str, module: str, run: Callable[[bytes, Path], object]) -> Target:
    return Target(name, (module, *_LINES), run, _KEPT, "lines")


TARGETS = (
    _lines("ledger", "store/runs/ledger.py", _read_ledger),
    _lines("judgements", "store/runs/rejudgements.py", _read_judgements),
    _lines("labels", "store/runs/labels.py", _read_labels),
    _lines("label_draw", "store/runs/labels.py", _read_draw),
    _lines("payments", "store/runs/payment_book.py", _read_payments),
    _lines("canary", "store/runs/canary_log.py", _read_canary),
    _lines("journal", "agent/daemon/journal/damage.py", _read_journal),
    _lines("pairs", "store/results/preference_pairs.py", _reader_of("a.jsonl", _read_pairs)),
    _lines("probes", "store/results/hallucination_probes.py", _reader_of("a.jsonl", _read_probes)),
    Target(
        "spectrum",
        ("store/results/value_spectrum.py",),
        _reader_of("a.json", _read_spectrum),
        (ValidationError,),
        "json",
    ),
    Target(
        "training",
        ("store/results/trainings.py",),
        _reader_of("cell.json", _read_training),
        _KEPT,
        "json",
    ),
    Target(
        "study_files",
        ("store/runs/study_looks.py", "agent/study/matrix.py"),
        _read_study,
        (),
        "json",
    ),
    Target("cache_state", ("store/remote/cache_state.py",), _read_cache, (), "json"),
    Target("object_names", ("store/remote/object_names.py",), _arrange, (), "text"),
)
