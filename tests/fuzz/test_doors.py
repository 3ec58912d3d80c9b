"""Every door for a second or two: changed inputs of the corpus, the same in every run."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.campaign import read_corpus
from tests.fuzz.edits import Edit, apply_edits
from tests.fuzz.guard import examine, make_folder
from tests.fuzz.targets import TARGETS

EXAMPLES = 25
NUMBERS = st.integers(0, (1 << 20) - 1)
EDITS = st.lists(st.builds(Edit, st.integers(0, 63), NUMBERS, NUMBERS, NUMBERS), max_size=5)


@pytest.fixture(scope="module")
def folder() -> Path:
    return make_folder()


@pytest.mark.parametrize("name", TARGETS)
def test_a_changed_input_is_read_or_refused(name: str, folder: Path) -> None:
    target, corpus = TARGETS[name], read_corpus(name)

    @settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck))
    @given(base=st.sampled_from(corpus), other=st.sampled_from(corpus), edits=EDITS)
    def read_or_refuse(base: bytes, other: bytes, edits: list[Edit]) -> None:
        examine(target, apply_edits(base, edits, target.kind, target.words, other), folder)

    read_or_refuse()
