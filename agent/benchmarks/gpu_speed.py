"""Measures what a GPU does in a second: pictures embedded, and questions answered.

Encoder and model have random weights and real shapes, so nothing needs to be fetched.
"""

from __future__ import annotations

import platform
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

from PIL.Image import Image

from agent.benchmarks.shared_picture_cost import Shape, draw_frames, make_llava, measure_sharing
from agent.models.local_checkpoint import default_dtype, free_memory
from store.encoders._torch import load_torch
from store.encoders.base import PictureStages
from store.encoders.openclip import PREFIX, OpenClipEncoder, save_random_weights
from store.encoders.picture_loader import embed_ahead
from store.untrusted.size_limits import decode_picture

_FULL_BYTES = 20e9  # a LLaVA-1.5-7B in 16 bits, with room for what it computes
_MOST_FILES = 256


@dataclass(frozen=True)
class GpuLoad:
    """What the GPU is given to do."""

    clip: str = "ViT-B-32"
    tag: str = "openai"
    """Weights whose pictures are prepared in the same way; none where the model has no tags."""
    pictures: int = 8192
    """Pictures to embed in one turn."""
    vlm: Shape = Shape(1, 1)  # noqa: RUF009 - frozen
    personas: int = 10


def choose_load(device: str) -> GpuLoad:
    """Choose the largest load whose model fits: LLaVA-1.5-7B whole, or at half its size."""
    return GpuLoad(vlm=Shape(1, 1) if free_memory(device) > _FULL_BYTES else Shape(2, 2))


def measure_gpu(
    device: str, load: GpuLoad, rounds: int, folder: Path, tell: Callable[[str], None]
) -> dict[str, Any]:
    """Measure pictures and questions a second; the machine is part of what is returned.

    The folder takes the encoder's weights, 600 MB of a ViT-B-32.
    """
    return {
        "machine": describe_machine(device),
        "pictures": _measure_pictures(device, load, rounds, folder, tell),
        "questions": _measure_questions(device, load, rounds, tell),
    }


def describe_machine(device: str) -> dict[str, Any]:
    """Name the device, its memory, the versions that compute on it, and the cores beside it."""
    torch = load_torch()
    machine: dict[str, Any] = {
        "device": device,
        "torch": torch.__version__,
        "cores": torch.get_num_threads(),
        "system": platform.platform(),
    }
    if not device.startswith("cuda"):
        return machine
    about = torch.cuda.get_device_properties(device)
    return machine | {
        "device": about.name,
        "memory_gib": round(about.total_memory / 2**30, 1),
        "cuda": torch.version.cuda,
        "driver": _driver(),
    }


def _driver() -> str | None:
    """Version of NVIDIA's driver; ``None`` where its own program is not there to tell it."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return None
    command = [program, "--query-gpu=driver_version", "--format=csv,noheader"]
    said = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    return next(iter(said.stdout.splitlines()), None)


@dataclass(frozen=True)
class _MadePictures:
    """JPEGs in memory, read as stored frames are, in whichever process."""

    files: tuple[bytes, ...]

    def __call__(self, key: str) -> Image:
        return decode_picture(self.files[int(key) % len(self.files)])


def _measure_pictures(
    device: str, load: GpuLoad, rounds: int, folder: Path, tell: Callable[[str], None]
) -> dict[str, Any]:
    """Embed the same pictures prepared by other processes, prepared here, and prepared before."""
    path = folder / "random.pt"
    save_random_weights(load.clip, path)
    start = f"{load.tag}=" if load.tag else ""
    encoder = OpenClipEncoder.load(f"{PREFIX}{load.clip}/{start}{path}", device)
    stages = encoder.stages
    read = _MadePictures(draw_frames(0, min(_MOST_FILES, load.pictures)))
    keys = [str(n) for n in range(load.pictures)]
    ways = {f"{n} processes prepare": n for n in sorted({0, stages.workers or 2})}
    speeds: dict[str, list[float]] = {way: [] for way in (*ways, "prepared before")}
    list(embed_ahead(stages, keys[: 2 * stages.batch], read, 0))  # warms up
    for number in range(1, rounds + 1):
        for way, workers in ways.items():
            begun = perf_counter()
            done = sum(len(batch.places) for batch in embed_ahead(stages, keys, read, workers))
            speeds[way].append(done / (perf_counter() - begun))
        speeds["prepared before"].append(_device_alone(stages, read, load.pictures))
        tell(f"pictures a second, round {number} of {rounds}: {_last(speeds)}")
    return {
        "model": load.clip,
        "half_precision": encoder.half,
        "batch": stages.batch,
        "pictures": load.pictures,
        "per_second": {way: [round(each, 1) for each in speed] for way, speed in speeds.items()},
    }


def _device_alone(stages: PictureStages, read: _MadePictures, pictures: int) -> float:
    """Return pictures a second where one batch is embedded again and again."""
    pixels = load_torch().stack([stages.prepare(read(str(n))) for n in range(stages.batch)])
    batches = max(1, pictures // stages.batch)
    begun = perf_counter()
    for _ in range(batches):
        stages.embed(pixels)
    return batches * stages.batch / (perf_counter() - begun)


def _measure_questions(
    device: str, load: GpuLoad, rounds: int, tell: Callable[[str], None]
) -> dict[str, Any]:
    """Ask a model about one video as each persona: one by one, in batches, sharing the picture."""
    model = make_llava(load.vlm, device, default_dtype(device))
    cost = measure_sharing(model, rounds, tell, personas=load.personas, batches=True)
    asked = 2 * load.personas
    return {
        "model": f"LLaVA-1.5-7B, 1/{load.vlm.part} of its widths, 1/{load.vlm.depth} of its layers",
        "dtype": default_dtype(device),
        "shares_pictures": model.shares_pictures,
        **cost.as_dict(),
        "per_second": {
            way: [round(asked / each, 2) for each in seconds]
            for way, seconds in cost.seconds.items()
        },
    }


def _last(speeds: dict[str, list[float]]) -> dict[str, float]:
    return {way: round(each[-1], 1) for way, each in speeds.items()}
