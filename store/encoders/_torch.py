"""Torch as this project uses it: imported late, with its threads counted and torchvision mended.

The one file that imports torch at run time.
"""

from __future__ import annotations

import contextlib
import os
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

_MISSING_OPERATORS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)

_LOADERS = 4
"""Processes that prepare pictures for a GPU; each holds two batches of them."""


@cache
def load_torch() -> ModuleType:
    """Import torch (a second or so), once, ready for use by timm, transformers and open_clip."""
    # OpenMP's threads wait for each other by spinning. Beside a browser on two cores that makes one
    # picture in twenty take two seconds instead of a tenth of one; told to sleep, they don't.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    import torch

    torch.set_num_threads(max(1, min(torch.get_num_threads(), _cores_granted())))
    _mend_torchvision(torch)
    return torch


def pick_device(wanted: str | None = None) -> str:
    """Return ``wanted``, or the best device that this machine has: ``cuda``, ``mps`` or ``cpu``."""
    if wanted is not None:
        return wanted
    torch = load_torch()
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def count_loaders(device: str) -> int:
    """Count the processes that prepare pictures beside a device; a CPU has no core to spare."""
    return min(_LOADERS, _cores_granted()) if device.startswith("cuda") else 0


def choose_batch(device: str) -> int:
    """Return how many pictures to embed at once; larger batches gain a CPU nothing."""
    return 64 if device.startswith("cuda") else 32


def _cores_granted(quota_file: Path = Path("/sys/fs/cgroup/cpu.max")) -> int:
    """Count the cores this process may use; a container's quota is one that torch overlooks."""
    cores = os.cpu_count() or 1
    with contextlib.suppress(OSError, ValueError):  # not Linux, no cgroup, or "max": no quota
        quota, period = quota_file.read_text(encoding="ascii").split()
        cores = min(cores, max(1, int(quota) // int(period)))
    return cores


def _mend_torchvision(torch: ModuleType) -> None:
    """Declare the operators without which torchvision cannot be imported, where they are missing.

    A torchvision built for CUDA cannot load its operators beside a torch built for the CPU, and
    then fails to import. timm, transformers and open_clip import it for its transforms alone, so
    declared operators without an implementation are all they need. torchvision itself is not
    imported here.
    """
    spec = find_spec("torchvision")
    if spec is None or not spec.submodule_search_locations:
        return
    folder = Path(next(iter(spec.submodule_search_locations)))
    for library in [*folder.glob("_C*.so"), *folder.glob("_C*.pyd")]:
        with contextlib.suppress(OSError):  # what it links to is not there: mended below
            torch.ops.load_library(str(library))
    missing = [
        schema
        for schema in _MISSING_OPERATORS
        if not hasattr(torch.ops.torchvision, schema.partition("(")[0])
    ]
    if missing:
        library = torch.library.Library("torchvision", "FRAGMENT")
        for schema in missing:
            library.define(schema)
        _kept.append(library)


_kept: list[Any] = []  # a library takes its operators with it when it is collected
