"""Seeds of what is kept: lines and files of records, as they are written."""

from __future__ import annotations

import hashlib
import json

from store.jsonl.base_record import Record
from store.maintenance.backup import FORMAT
from store.results.hallucination_probes import Prober
from store.results.preference_pairs import Maker
from store.runs.canary_log import CanaryRecord
from store.runs.labels import DrawHeader, DrawQuestion, DrawStratum, Label, LabelUndo
from store.runs.ledger_lines import Judgement
from store.runs.payment_book import BatchSent, CallReserved, CallSettled, CarriedOver
from store.runs.rejudgements import RejudgedAnswer, RejudgementHeader
from store.runs.study_looks import StudyLook
from tests.store.samples import START, finished, frame, jpeg, started, step


def _lines(*records: Record) -> bytes:
    return b"".join(one.model_dump_json(by_alias=True).encode() + b"\n" for one in records)


A_HASH = "ab" * 32


def seeds_of_lines() -> dict[str, list[bytes | str]]:
    """Return the seeds of each target that reads what is kept."""
    seen = step(0, frame(jpeg("red")), answer="yes")
    judge = RejudgementHeader(
        run_id="r1",
        model="m",
        strategy="simple",
        prompts={"simple": A_HASH},
        seed=1,
        at=START,
        code_version="1",
        personas=("p~t",),
    )
    asked = RejudgedAnswer(
        persona="p",
        traits="t",
        position=0,
        frame=A_HASH,
        judgement=Judgement(answer="yes", p_yes=0.5),
    )
    draw = DrawHeader(
        name="d",
        at=START,
        seed=1,
        runs=("r1",),
        strata=("run",),
        strategy="simple",
        prompts={},
        code_version="1",
    )
    question = DrawQuestion(
        id="q1",
        run_id="r1",
        position=0,
        arm="treatment",
        window="after",
        persona="p",
        traits="t",
        own=True,
        probability=0.5,
    )
    stratum = DrawStratum(of={"run": "r1"}, population=2, sample=1)
    call = CallReserved(
        id="c1",
        at=START,
        account="run/r1",
        study="s",
        model="m",
        key="k-0",
        cost_usd=0.3,
        tokens=9,
        batch=True,
    )
    paid = (
        CarriedOver(at=START, account="run/r1", calls=2, cost_usd=0.1, tokens=4),
        call,
        BatchSent(at=START, name="n", calls=("c1",)),
        CallSettled(id="c1", how="reported", cost_usd=0.1, tokens=3),
        call.model_copy(update={"id": "c2"}),
    )
    label = Label(question="q2", answer="no", by="anna", at=START)
    undo = LabelUndo(question="q2", answer="no", label_at=START, by="anna", at=START)
    look = StudyLook(
        number=1,
        of=2,
        at=START,
        runs=("r1",),
        statistic=1.0,
        p=0.5,
        spent=0.01,
        found=False,
        stands=False,
    )
    return {
        "ledger": [_lines(started("r1"), seen, finished(1)), _lines(started("r1"), seen)],
        "judgements": [_lines(judge, asked)],
        "labels": [_lines(label, undo, label)],
        "label_draw": [_lines(draw, stratum, question)],
        "payments": [_lines(*paid)],
        "canary": [
            _lines(
                CanaryRecord(kind="probe", at=START, platform="tiktok", verdicts={"feed": "fails"})
            )
        ],
        "journal": [_JOURNAL],
        "pairs": [
            _lines(Maker(model="m", checker="c", prompts={}, seed=1, at=START, code_version="1"))
        ],
        "probes": [_lines(Prober(model="m", pairs="p", prompts={}, at=START, code_version="1"))],
        "spectrum": [_SPECTRUM],
        "training": [_TRAINING],
        "study_files": [
            f"[{look.model_dump_json()}]",
            '[{"at": "2026-01-01T00:00:00Z", "cells": 4}]',
            _CELL,
        ],
        "cache_state": ['{"files": {"a": ["t", 1, 2]}, "versions": {"b": 1}, "sweep": false}'],
        "object_names": [
            "a.jsonl/000001-000000000000\na.jsonl/000001-000000000027\npayments.jsonl/1-a\nframes/x"
        ],
    }


APPROVED = '{"platform": "tiktok", "walls": [], "fault": null, "videos": [{"id": "1"}]}'
A_MANIFEST = json.dumps(
    {
        "format": FORMAT,
        "at": "2026-01-01T00:00:00Z",
        "profiles": False,
        "sha256": {"other": hashlib.sha256(b"2").hexdigest()},
    }
)
_JOURNAL = """\
{"at":"2026-01-01T00:00:00Z","kind":"daemon_started","pid":1,"file":"w.toml"}
{"at":"2026-01-01T00:00:01Z","kind":"file_taken","sha256":"a","entries":["e"]}
{"at":"2026-01-01T00:00:02Z","kind":"queued","entry":"e","due":"2026-01-01T00:00:00Z"}
{"at":"2026-01-01T00:00:03Z","kind":"started","entry":"e","due":"2026-01-01T00:00:00Z","pid":2,"log":"l"}
{"at":"2026-01-01T00:00:04Z","kind":"ended","entry":"e","due":"2026-01-01T00:00:00Z","outcome":"fault","code":1}
{"at":"2026-01-01T00:00:05Z","kind":"breaker","platform":"tiktok","open":true,"failures":3}
{"at":"2026-01-01T00:00:06Z","kind":"held","entry":null,"paused":true}
{"at":"2026-01-01T00:00:07Z","kind":"noticed","trouble":"disk","detail":"full"}
"""
_CELL = json.dumps(
    [
        {
            "platform": "playground",
            "strategy": "simple",
            "model": "m",
            "replicate": 1,
            "slot": 1,
            "arm": "treatment",
            "persona": "p12",
            "block": 1,
            "turn": 0,
        }
    ]
)
_SPECTRUM = json.dumps(
    {
        "at": "2026-01-01T00:00:00Z",
        "set_id": "s",
        "sha256": A_HASH,
        "encoder": "conse",
        "platform": None,
        "per_keyword": 1,
        "by": "both",
        "frames": 1,
        "unique": 1,
        "videos": 1,
        "values": [{"id": "v", "name": "V", "definition": "d"}],
        "keywords": [
            {
                "value": "v",
                "keyword": "k",
                "found": [
                    {
                        "rank": 1,
                        "similarity": 0.5,
                        "words": None,
                        "match": 3.5,
                        "fits": True,
                        "entry": "e",
                        "platform": "playground",
                        "video": "v",
                        "frame": A_HASH,
                        "caption": "c",
                    }
                ],
            }
        ],
    }
)
_TRAINING = json.dumps(
    {
        "size": 16,
        "seed": 2,
        "weights": "w",
        "trained_on": ["a"],
        "losses": [{"update": 1, "loss": 0.5}],
        "items": [
            {
                "id": "a",
                "video": "v",
                "kind": "object",
                "reply": "r",
                "chosen": -1.0,
                "rejected": -2.0,
                "chosen_tokens": 3,
                "rejected_tokens": 3,
                "p_yes": [0.5, None],
            }
        ],
        "seconds": 1.0,
    }
)
