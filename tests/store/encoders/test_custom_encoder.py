"""Vectors of a package's encoder are checked whenever it embeds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from store.encoders import registry
from store.plug_ins.entry_points import PlugInBroken
from tests.plug_in_packages import seen, write_package

HEAD = "import numpy as np\nfrom store.encoders import CustomEncoder\nclass X(CustomEncoder):\n"
PICTURES = [Image.new("RGB", (8, 8))] * 2


def write_encoder(folder: Path, gives: str, dim: str = "dim = 2") -> Path:
    code = f"{HEAD}    {dim}\n    def images(self, images):\n        return {gives}\n"
    return write_package(folder, "odd", f"{code}    texts = images\n", {"encoders.own": "odd:X"})


@pytest.mark.parametrize(
    ("gives", "problem"),
    [
        ("np.full((2, 2), np.nan)", "its vectors are not of unit length"),
        ("np.full((2, 2), 5)", "its vectors are not of unit length"),
        ("np.ones((2, 1))", "2 make vectors of shape (2, 1), not 2, 2"),
        ("np.ones((1, 2))", "2 make vectors of shape (1, 2), not 2, 2"),
        ("np.array([['a', 'b']] * 2)", "its vectors are of <U1"),
        ("None", "its vectors are a NoneType, and no array"),
        ("1 / 0", "embedding fails with ZeroDivisionError: division by zero (odd.py, line 6)"),
        ("exit(0)", "embedding fails with SystemExit: 0"),
    ],
)
def test_what_is_no_unit_vector_is_refused(tmp_path: Path, gives: str, problem: str) -> None:
    with seen(write_encoder(tmp_path, gives)):
        encoder = registry.load("own")
        with pytest.raises(PlugInBroken) as of_pictures:
            encoder.images(PICTURES)
        with pytest.raises(PlugInBroken) as of_texts:
            encoder.texts(["a", "b"])
    assert problem in str(of_pictures.value)
    assert problem in str(of_texts.value)


def test_pictures_prepared_elsewhere_are_checked_too(tmp_path: Path) -> None:
    code = (
        f"{HEAD}    dim = 2\n"
        "    stages = PictureStages(np.asarray, lambda made: np.ones((len(made), 2)), 8, 0)\n"
    )
    code = f"from store.encoders.base import PictureStages\n{code}"
    with seen(write_package(tmp_path, "odd", code, {"encoders.own": "odd:X"})):
        stages = registry.load("own").stages
        assert stages is not None
        with pytest.raises(PlugInBroken, match="not of unit length"):
            stages.embed(np.zeros((2, 8, 8, 3)))


@pytest.mark.parametrize("dim", ["pass", "dim = '2'"])
def test_a_space_without_dimensions_is_refused(tmp_path: Path, dim: str) -> None:
    with seen(write_encoder(tmp_path, "None", dim)), pytest.raises(PlugInBroken, match="dim"):
        registry.load("own")


def test_unit_vectors_become_of_the_index_s_precision(tmp_path: Path) -> None:
    with seen(write_encoder(tmp_path, "np.eye(2)")):
        assert registry.load("own").images(PICTURES).dtype == np.float32
