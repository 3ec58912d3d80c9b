"""How a worker of ours is started: which model or encoder, for whom, of which code."""

from __future__ import annotations

import hashlib
import json
import os
import sys
import sysconfig
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from agent.errors import BadConfig
from agent.models.fingerprint import fingerprint, weights
from agent.models.local_server.runtime_folder import ServerRecipe
from agent.models.providers import LOCAL_VLM_PROVIDER, parse_model_name
from store.encoders.registry import find_checkpoint

SETTING = "FEEDSWAY_WARM_S"
"""Environment variable: seconds that a worker stays after its last user; 0: no workers at all."""
LINGER_S = 120.0
KEY_VARIABLE = "FEEDSWAY_WORKER_KEY"
_LIMIT_S = 1800.0  # weights of a large model are read from a slow disk
_ROOT = Path(__file__).parents[3]
_SOURCES = (
    "agent/errors.py",
    "agent/models",
    "personas",
    "store/encoders",
    "store/errors.py",
    "store/untrusted",
)
_SOURCE_ENDS = (".py", ".npy", ".toml", ".txt")
_STEERS = (
    "ATEN_",
    "CUBLAS_",
    "CUDA_",
    "DNNL_",
    "GOMP_",
    "HF_",
    "HIP_",
    "HUGGINGFACE_HUB_CACHE",
    "KMP_",
    "LD_",
    "MKL_",
    "NVIDIA_",
    "OMP_",
    "ONEDNN_",
    "OPENBLAS_",
    "PYTORCH_",
    "ROCR_",
    "TORCH",
    "TRANSFORMERS_",
    "XDG_CACHE_HOME",
)
"""How names of environment variables begin that change what a model computes, or where it is."""
_SECRET = ("KEY", "SECRET", "TOKEN")


@dataclass(frozen=True)
class WorkerOrder:
    """What a worker loads; another order is another worker."""

    kind: Literal["model", "encoder"]
    name: str
    settings: Mapping[str, Any]
    code: str  # hash of feedsway's files and of the packages' versions
    cores: tuple[int, ...]  # which its threads may use: sums differ in the last digit by them
    folder: str | None = None  # from which a relative path in its name leads on

    def to_json(self) -> str:
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> WorkerOrder:
        fields = json.loads(text)
        return cls(**{**fields, "cores": tuple(fields["cores"])})


def linger_s() -> float:
    """Return how long a worker stays after its last user; 0 where models load in the process."""
    text = os.environ.get(SETTING)
    try:
        seconds = LINGER_S if text is None else float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= 86_400:
        raise BadConfig(f"{SETTING} is no number of seconds. Type: export {SETTING}=120")
    return seconds


def model_recipe(name: str, settings: Mapping[str, Any]) -> ServerRecipe:
    """Return how the worker of a model is started; its files' content is part of which one."""
    parts = parse_model_name(name)
    folder = Path(parts.model).expanduser()
    relative = str(Path.cwd()) if folder.is_dir() and not folder.is_absolute() else None
    order = WorkerOrder("model", name, settings, code_fingerprint(), cores(), relative)
    # the embedded viewer's weights come in packages, whose versions are in the order
    return _recipe(order, _weights(parts.model) if parts.provider is LOCAL_VLM_PROVIDER else "")


def encoder_recipe(name: str) -> ServerRecipe:
    """Return how the worker of an encoder is started; its checkpoint is part of which one."""
    checkpoint = find_checkpoint(name)
    order = WorkerOrder("encoder", name, {}, code_fingerprint(), cores(), str(Path.cwd()))
    return _recipe(order, "" if checkpoint is None else _stamp(checkpoint))


def _recipe(order: WorkerOrder, files: str) -> ServerRecipe:
    return ServerRecipe(
        model=order.name,
        command=(sys.executable, "-P", "-m", "agent.models.local_server.worker", order.to_json()),
        environment=_environment(),
        key_variable=KEY_VARIABLE,
        limit_s=_LIMIT_S,
        weights=files,
        linger_s=linger_s(),
    )


def code_fingerprint() -> str:
    """Hash the files of feedsway that a worker runs, and the versions of all packages."""
    paths = [path for top in _SOURCES for path in _files(_ROOT / top)]
    contents = [
        [path.relative_to(_ROOT).as_posix(), hashlib.sha256(path.read_bytes()).hexdigest()]
        for path in paths
    ]
    folders = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    packages = [path.name for folder in folders for path in Path(folder).glob("*.dist-info")]
    return fingerprint([sys.version, sys.executable, contents, sorted(packages)])


def _files(top: Path) -> list[Path]:
    if top.is_file():
        return [top]
    return sorted(path for path in top.rglob("*") if path.suffix in _SOURCE_ENDS)


def cores() -> tuple[int, ...]:
    """Return the processor cores that this process may use; empty where nobody tells."""
    affinity = getattr(os, "sched_getaffinity", None)
    return () if affinity is None else tuple(sorted(affinity(0)))


def _environment() -> tuple[tuple[str, str], ...]:
    """Return what of the environment changes answers; nothing that looks like a secret."""
    steering = {
        name: text
        for name, text in os.environ.items()
        if name.startswith(_STEERS) and not any(word in name for word in _SECRET)
    }
    path = os.pathsep.join(filter(None, [str(_ROOT), os.environ.get("PYTHONPATH")]))
    ours = {"OMP_WAIT_POLICY": "PASSIVE", **steering, "PYTHONPATH": path}  # the very code as here
    return tuple(sorted(ours.items()))


def _weights(source: str) -> str:
    """Hash the files of a checkpoint of this machine, also of one fetched from the hub."""
    folder = Path(source).expanduser()
    if not folder.is_dir():
        from huggingface_hub import try_to_load_from_cache
        from huggingface_hub.errors import HFValidationError

        try:
            config = try_to_load_from_cache(source, "config.json")
        except HFValidationError:  # no id of the hub: loading says so
            return ""
        if not isinstance(config, str):
            return ""
        folder = Path(config).parent
    return weights(folder)


def _stamp(path: Path) -> str:
    """Tell one content of a file from the next, without reading it: its id tells its content."""
    real = path.resolve()
    stat = real.stat()
    return fingerprint([str(real), stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns])
