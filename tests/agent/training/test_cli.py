"""What ``python -m agent align`` refuses before anything is loaded, in one sentence each."""

from __future__ import annotations

import sys
from pathlib import Path

import click
import datasets
import numpy as np
import pytest

from agent.cli.align import align
from agent.errors import BadConfig, MissingExtra, UserError
from agent.training import dpo
from agent.training.example import _pairs


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    datasets.disable_progress_bars()
    folder = tmp_path_factory.mktemp("pairs")
    _pairs(np.random.default_rng(1)).save_to_disk(str(folder / "pairs"))
    (folder / "vlm").mkdir()
    (folder / "vlm" / "config.json").write_text("{}")
    return folder


def refused(folder: Path, *options: str) -> str:
    model = f"--model=hfvlm/{folder / 'vlm'}"
    with pytest.raises(UserError) as caught:
        align.main([str(folder / "pairs"), model, *options], standalone_mode=False)
    return str(caught.value)


def test_what_does_not_fit_together_ends_in_what_to_type(folder: Path) -> None:
    own = f"hfvlm/{folder / 'vlm'}"
    assert refused(folder, "--style=a", f"--judge={own}").endswith("Type: --judge embedded/conse")
    assert "either --style TEXT or --persona" in refused(folder)
    assert "either --style TEXT or --persona" in refused(folder, "--style=a", "--persona=p12")
    assert refused(folder, "--style=a", "--sizes=8,500").endswith("Type: --sizes 0,8")
    assert "Type: --model hfvlm/" in refused(folder, "--style=a", "--model=embedded/conse")
    with pytest.raises(BadConfig, match="--example example"):
        align.main(["--model=hfvlm/x"], standalone_mode=False)
    cut = refused(folder, "--style=a", "--batch=8", "--accumulate=3")
    assert cut.endswith("Type: --accumulate 2")
    assert "no model 'nobody/x'" in refused(folder, "--style=a", "--judge=nobody/x")


@pytest.mark.parametrize("sizes", ["a", "1,-2", "1;2"])
def test_sizes_are_numbers(folder: Path, sizes: str) -> None:
    with pytest.raises(click.BadParameter, match="--sizes 0,16,32"):
        align.main([str(folder), f"--sizes={sizes}"], standalone_mode=False)


def test_without_the_extra_one_sentence_says_what_to_type(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "datasets", None)
        assert refused(folder, "--style=a").endswith("Type: pip install 'feedsway[align]'")
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(MissingExtra, match=r"Type: pip install 'feedsway\[align\]'$"):
        dpo.check_training()
