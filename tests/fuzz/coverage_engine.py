"""Drives one target by the coverage of its code: libFuzzer, by way of Atheris, where installed."""

from __future__ import annotations

import importlib
import sys
import time
from pathlib import Path
from random import Random
from typing import Any

PACKAGES = ["agent", "analysis", "personas", "store", "tomllib", "json", "zipfile", "tarfile"]
"""What is watched while it is imported."""


def is_installed() -> bool:
    """Tell whether Atheris is there: it has wheels for Linux and macOS, Python 3.11 to 3.13."""
    return importlib.util.find_spec("atheris") is not None


def run_target(name: str, seconds: float, seed: int, out: Path) -> None:
    """Fuzz one target in this process, which ends with it; findings are kept as they come."""
    import atheris

    with atheris.instrument_imports(include=PACKAGES):
        from tests.fuzz.campaign import Campaign
        from tests.fuzz.edits import apply_edits, draw_edits
        from tests.fuzz.targets import TARGETS
    target = TARGETS[name]
    campaign = Campaign(target, seed, out)
    pool = campaign.inputs
    end = time.process_time() + seconds

    def give(content: bytes) -> None:
        campaign.give(content)
        if time.process_time() > end:
            campaign.report()
            sys.stdout.flush()
            import os

            os._exit(0)

    def change(content: bytes, most: int, drawn: int) -> bytes:
        rng = Random(drawn)
        other = rng.choice(pool)
        return apply_edits(content, draw_edits(rng), target.kind, target.words, other)[:most]

    corpus = Path(out, name, "corpus")
    corpus.mkdir(parents=True, exist_ok=True)
    arguments = [sys.argv[0], f"-seed={seed}", "-max_len=65536", "-rss_limit_mb=4096", str(corpus)]
    atheris.Setup([*arguments, str(campaign.seeds)], give, custom_mutator=change)
    atheris.Fuzz()


__all__: list[Any] = ["is_installed", "run_target"]
