"""How vLLM is started for a model: the command, and the settings that inspect_ai knows too."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

from agent.errors import BadConfig, MissingExtra
from agent.models.fingerprint import fingerprint, weights
from agent.models.local_server.runtime_folder import ServerRecipe
from agent.models.providers import parse_model_name

_SETTINGS = "VLLM_DEFAULT_SERVER_ARGS"
_LIMIT_S = 1800.0  # weights may have to be fetched first. The setting ``timeout`` changes it
_OURS = ("host", "port", "api_key")
"""Settings that are not handed on: the server is on loopback, under a key of its own."""


def vllm_recipe(name: str) -> ServerRecipe:
    """Return how the server of ``vllm/<model>`` is started.

    Raises ``MissingExtra`` without vLLM, ``BadConfig`` where ``VLLM_DEFAULT_SERVER_ARGS`` is no
    JSON object.
    """
    program = shutil.which("vllm")
    if program is None:
        raise MissingExtra(f"What {name} needs", "pip install vllm")
    from inspect_ai._util.local_server import configure_devices  # its own reading of devices
    from inspect_ai.model._providers._vllm_lora import get_adapter_rank, parse_vllm_model

    base, adapter = parse_vllm_model(parse_model_name(name).model)
    arguments, environment = configure_devices(_settings())
    if arguments.get("tensor_parallel_size") == 1:  # vLLM's default: one device is like another
        del arguments["tensor_parallel_size"]
    limit_s = float(arguments.pop("timeout", None) or _LIMIT_S)
    if (logs := arguments.pop("configure_logging", None)) is not None:
        environment["VLLM_CONFIGURE_LOGGING"] = str(int(bool(logs)))
    if adapter is not None:
        environment["VLLM_ALLOW_RUNTIME_LORA_UPDATING"] = "True"
        arguments.setdefault("enable_lora", True)
        if (rank := get_adapter_rank(adapter)) is not None:
            arguments.setdefault("max_lora_rank", rank)
    flags = [flag for key, value in arguments.items() for flag in _flag(key, value)]
    return ServerRecipe(
        model=base,
        command=(program, "serve", base, *flags),
        environment=tuple(sorted(environment.items())),
        key_variable="VLLM_API_KEY",
        limit_s=limit_s,
        weights=_weights(base, None if adapter is None else adapter.path),
    )


def _weights(*sources: str | None) -> str:
    """Hash a model and its adapter, where these are folders of this machine."""
    folders = [Path(source) for source in sources if source is not None]
    hashes = [weights(folder) for folder in folders if folder.is_dir()]
    return fingerprint(hashes) if hashes else ""


def _settings() -> dict[str, Any]:
    try:
        arguments = json.loads(os.environ.get(_SETTINGS) or "{}")
    except ValueError:
        arguments = None
    if not isinstance(arguments, dict):
        raise BadConfig(f"{_SETTINGS} is no JSON object. Type: export {_SETTINGS}='{{}}'")
    return {key: value for key, value in arguments.items() if key.replace("-", "_") not in _OURS}


def _flag(key: str, value: Any) -> list[str]:
    flag = f"--{key.replace('_', '-')}"
    if isinstance(value, bool):
        return [flag] if value else []
    if value is None:
        return [flag]
    return [flag, value if isinstance(value, str) else json.dumps(value)]
