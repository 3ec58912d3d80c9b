"""A bit of a kept file changes: verify notices, whatever file it is."""

from __future__ import annotations

import io
import json
import os
import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from PIL import Image

from agent.daemon.journal.events import DaemonStarted, Journal, PauseChanged
from agent.daemon.web.status import JOURNAL
from analysis.cli.main import main as analysis_cli
from analysis.examples.made_up_results import write_spectrum_example
from analysis.examples.study import write_example
from store.cli.main import main as store_cli
from store.dataset.pseudonyms import key_of
from store.jsonl.atomic import write_whole
from store.jsonl.file_seal import write_sealed
from store.maintenance.hash_checks import HashReport, check_hashes, check_lines
from store.runs import study_looks
from store.runs.canary_log import CanaryRecord, append_canary
from store.runs.data_folder import DataFolder
from store.runs.labels import LabelFile
from store.runs.payment_book import CallSettled, PaymentBook
from tests.store.maintenance.test_merge import answer
from tests.store.privacy.test_forget import _prefer as keep_pairs
from tests.store.runs.test_labels import keep_draw, label
from tests.store.runs.test_payment_book import anything, reserved
from tests.store.samples import COLOURS, START, keep_run

STUDY = "example"


def run(cli: Any, *words: str) -> None:
    done = CliRunner().invoke(cli, list(words))
    assert done.exit_code == 0, (words, done.output, done.exception)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> DataFolder:
    """Everything that a data folder can hold, in small, with a video forgotten and a report."""
    data = DataFolder(tmp_path_factory.mktemp("flips") / "data")
    write_example(data.root)
    write_spectrum_example(data)
    _thin_out(data)
    keep_run(data, "r0", COLOURS[:4])
    answer(data, "r0", 0, 2)
    keep_draw(data)
    LabelFile(data, "d-1", "anna").add([label(0), label(1)])
    journal = Journal(data.daemon_dir / JOURNAL)
    journal.write(DaemonStarted(at=START, pid=1, file="watch.toml"))
    journal.write(PauseChanged(at=START, entry=None, paused=True))
    journal.close()
    book = PaymentBook(data.payments)
    for name in "abc":
        book.reserve(reserved(name), ("a",), anything, "q")
    book.settle(CallSettled(id="a", how="reported", cost_usd=0.25, tokens=3))
    append_canary(data, CanaryRecord(kind="probe", at=START, platform="tiktok", videos=3))
    study_looks.keep_tested(data.study_dir(STUDY), study_looks.TestedSize(at=START, cells=4))
    reply = json.dumps({"text": "Yes", "p_yes": 0.75, "frames": []}).encode()
    write_sealed(data.replies_dir / "ab" / f"{'ab' * 32}.json", reply)
    picture = io.BytesIO()
    Image.new("RGB", (32, 32), "red").save(picture, "PNG")
    write_whole(data.run_dir("r0") / "pictures" / "000001-Wall.png", picture.getvalue())
    key_of(data.pseudonym_key)
    keep_pairs(data)
    run(store_cli, "forget", "--video", "r0-1", "--yes", "--data", str(data.root))
    run(analysis_cli, "report", "r0", "--data", str(data.root))
    return data


def _thin_out(data: DataFolder) -> None:
    """Leave one run of the example, one file of answers and few frames: each flip reads it all."""
    for path in data.ledgers():
        if path.parent.name != "example-pia-passive":
            shutil.rmtree(path.parent)
    for many in (data.spectra_dir.rglob("judgements/*.jsonl"), data.frames_dir.rglob("*.jpg")):
        for path in sorted(many)[3:]:
            path.unlink()


def covered(data: DataFolder) -> list[Path]:
    """Every file that is no cache, log or lock."""
    passing = ("index", "compact", "profiles")
    files = [path for path in sorted(data.root.rglob("*")) if path.is_file()]
    return [
        path
        for path in files
        if path.suffix != ".lock" and path.relative_to(data.root).parts[0] not in passing
    ]


def flip_bits(data: DataFolder, number: int, seed: int) -> Iterator[tuple[Path, int]]:
    """Change one bit after the other, each file as likely as any, and put it back."""
    rng, files = random.Random(seed), covered(data)
    for _ in range(number):
        path = rng.choice(files)
        place = rng.randrange(8 * path.stat().st_size)
        with path.open("r+b", buffering=0) as file:
            file.seek(place // 8)
            (byte,) = file.read(1)
            os.pwrite(file.fileno(), bytes([byte ^ 1 << place % 8]), place // 8)
            yield path, place
            os.pwrite(file.fileno(), bytes([byte]), place // 8)


def test_the_folder_holds_every_kind_of_file(kept: DataFolder) -> None:
    kinds = {path.relative_to(kept.root).parts[0] for path in covered(kept)}
    assert kinds == {
        *("runs", "studies", "frames", "spectra", "labels", "pairs", "derived", "daemon"),
        *("cache", "canary", "payments.jsonl", "pseudonyms.key"),
    }
    found = check_hashes(kept)
    assert found.faults == []
    assert found.files == len(covered(kept))
    (note,) = found.notes
    assert note.startswith("1 line rewritten on 20")


def check_flips(kept: DataFolder, number: int, seed: int) -> None:
    flips = 0
    for path, place in flip_bits(kept, number, seed):
        assert check_hashes(kept).faults, (path, place)
        flips += 1
    assert flips == number
    assert check_hashes(kept).faults == []


def test_no_flipped_bit_passes(kept: DataFolder) -> None:
    check_flips(kept, 200, 1)


@pytest.mark.drill
def test_none_of_ten_thousand_flipped_bits_passes(kept: DataFolder) -> None:
    check_flips(kept, 10_000, 2)


@pytest.mark.parametrize("name", ["runs/r0/ledger.jsonl", "payments.jsonl"])
def test_every_bit_of_the_last_lines_counts(kept: DataFolder, name: str) -> None:
    """Where a torn end is looked for, and in the newline itself."""
    path = kept.root / name
    whole = path.read_bytes()
    assert whole.endswith(b"\n")
    flips = 0
    try:
        for place in range(8 * (len(whole) - 150), 8 * len(whole)):
            changed = bytearray(whole)
            changed[place // 8] ^= 1 << place % 8
            path.write_bytes(changed)
            report = HashReport()
            check_lines(path, report)
            assert report.faults, place
            flips += 1
    finally:
        path.write_bytes(whole)
    assert flips == 1_200
