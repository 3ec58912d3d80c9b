"""Finds and loads the checkpoint of a local vision-language model, with transformers.

Says before loading whether it is there, takes pictures and fits. Nothing is fetched, and no code
that comes with a checkpoint is run.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from agent.errors import BadConfig, MissingExtra, UserError
from agent.models.fingerprint import weights
from store.encoders._torch import load_torch, pick_device

_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")
_INSTALL = re.compile(r"pip install (?:-U )?(?!git\+)[a-z][\w-]*")
_DTYPES = {"cuda": "bfloat16", "mps": "float16", "cpu": "float32"}
"""CPUs that compute in 16 bits well are rare; Apple's GPUs were made for float16."""
DTYPES = ("bfloat16", "float16", "float32")
ATTENTIONS = {
    "eager": None,
    "sdpa": None,
    "flex_attention": None,
    "flash_attention_2": "flash-attn",
    "flash_attention_3": "flash-attn-interface",
}
"""Ways to compute attention, in transformers' names, and the package that each needs."""
QUANTIZATIONS = {
    "bitsandbytes-4bit": "bitsandbytes",
    "bitsandbytes-8bit": "bitsandbytes",
    "torchao-int8": "torchao",
}
"""Ways to quantise weights while loading, and the package that each needs."""
_BITS = {"bitsandbytes-4bit": 4, "bitsandbytes-8bit": 8, "torchao-int8": 8}
_CPU = "Type: device=cpu"
_ROOM = 1.2
"""Memory needed, as a multiple of the weights': activations and the cache of keys and values."""
_EXAMPLE = "--model hfvlm/Qwen/Qwen3-VL-4B-Instruct"


@dataclass(frozen=True)
class Checkpoint:
    """A loaded model, and what prepares its input."""

    model: Any
    processor: Any
    about: str  # its kind, size, precision and place, in words
    weights: str  # hash of its files' content
    method: str | None = None  # how its weights are quantised, if they are
    manner: dict[str, str] = field(default_factory=dict)
    """Settings other than the defaults that change what it says, beside its precision."""


def check(source: str) -> None:
    """Refuse what is neither a checkpoint's folder nor an id of the hub; loads nothing."""
    folder = Path(source).expanduser()
    if source and folder.is_dir():
        if not (folder / "config.json").is_file():
            raise BadConfig(
                f"{source} holds no checkpoint: its config.json is missing. Type: {_EXAMPLE}"
            )
        return
    if source[:1] in (".", "/", "~", "\\") or not _HUB_ID.fullmatch(source):
        raise BadConfig(f"There is no model folder {source!r}. Type: {_EXAMPLE}")


def load(
    source: str,
    device: str | None = None,
    dtype: str | None = None,
    attention: str | None = None,
    quantization: str | None = None,
) -> Checkpoint:
    """Load a checkpoint from a folder or, by its id, as fetched from the hub.

    Weights are kept in bfloat16 on ``cuda``, float16 on ``mps`` and float32 on ``cpu``; one that
    was saved quantised stays as it was saved.

    Parameters
    ----------
    device
        ``cuda``, ``cuda:1``, ``mps`` or ``cpu``; the best there is unless named.
    dtype, attention, quantization
        One of `DTYPES`, of `ATTENTIONS`, and of `QUANTIZATIONS`, which is made while loading.

    Raises ``BadConfig`` where a setting is none, or the checkpoint is not there, takes no pictures,
    needs code of its own or does not fit; ``MissingExtra`` where a package is missing.
    """
    check(source)
    check_settings(device, dtype, attention, quantization)
    load_torch()  # before transformers, which imports torchvision
    from transformers import AutoConfig, AutoModelForImageTextToText, AutoProcessor
    from transformers.utils import logging

    logging.disable_progress_bar()  # the run has its own display
    device = pick_device(device)
    path = str(Path(source).expanduser()) if Path(source).expanduser().is_dir() else source
    here: dict[str, Any] = {"trust_remote_code": False, "local_files_only": True}
    try:
        config = AutoConfig.from_pretrained(path, **here)
        _refuse_blind(source, config)
        method = _quantisation(config)
        if method is None:
            bits = _BITS.get(quantization or "")
            _refuse_too_big(source, config, device, _dtype(device, dtype), bits)
        elif quantization is not None:
            raise BadConfig(f"{source} is {method} already. Type: the same without quantization")
        processor = AutoProcessor.from_pretrained(path, **here)
        if getattr(processor, "image_processor", None) is None:
            raise BadConfig(f"{source} comes without an image processor. Type: {_EXAMPLE}")
        how = _how(device, dtype, attention, quantization, saved_quantised=method is not None)
        model = AutoModelForImageTextToText.from_pretrained(path, **how, **here)
        method = method or quantization
        model = model.eval() if method else model.to(device).eval()
    except (OSError, ValueError, ImportError, KeyError, RuntimeError) as error:
        raise _mendable(source, error) from error
    _pad_on_the_left(processor.tokenizer)
    in_words = dtype if method is not None else None  # else the model's own dtype tells it
    manner = _named(attention=attention, quantization=quantization, dtype=in_words)
    about, hashed = _about(model, method), weights(_folder(path))
    return Checkpoint(model, processor, about, hashed, method, manner)


def _named(**settings: str | None) -> dict[str, str]:
    return {name: value for name, value in settings.items() if value is not None}


def _pad_on_the_left(tokenizer: Any) -> None:
    """Fill shorter rows on the left, so that every row ends where its answer begins."""
    tokenizer.padding_side = "left"
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token


def check_settings(
    device: str | None = None,
    dtype: str | None = None,
    attention: str | None = None,
    quantization: str | None = None,
) -> None:
    """Refuse settings that there are not, or not on this machine; raises as `load` does."""
    for name, value, known in (
        ("dtype", dtype, DTYPES),
        ("attention", attention, tuple(ATTENTIONS)),
        ("quantization", quantization, tuple(QUANTIZATIONS)),
    ):
        if value is not None and value not in known:
            raise BadConfig(
                f"A local model has no {name} {value!r}; it takes {', '.join(known)}. "
                f"Type: {name}={known[0]}"
            )
    if device is not None:
        _refuse_absent(device)
    for value, packages in ((attention, ATTENTIONS), (quantization, QUANTIZATIONS)):
        package = packages[value] if value is not None else None
        if package is not None and find_spec(package.replace("-", "_")) is None:
            raise MissingExtra(f"What {value} needs", f"pip install {package}")


def _refuse_absent(device: str) -> None:
    """Refuse a device that there is none of here."""
    torch = load_torch()
    kind, _, number = device.partition(":")
    there = {
        "cpu": 1,
        "cuda": torch.cuda.device_count(),
        "mps": int(torch.backends.mps.is_available()),
    }
    if kind not in there or (number and not number.isdecimal()):
        raise BadConfig(f"There is no device {device!r}; they are cpu, cuda, cuda:1, mps. {_CPU}")
    if int(number or 0) >= there[kind]:
        raise BadConfig(f"This machine has no device {device!r} that torch can use. {_CPU}")


def _how(
    device: str,
    dtype: str | None,
    attention: str | None,
    quantization: str | None,
    *,
    saved_quantised: bool,
) -> dict[str, Any]:
    """Settings in transformers' own words."""
    how: dict[str, Any] = {}
    if attention is not None:
        how["attn_implementation"] = attention
    if dtype is not None or not saved_quantised:
        how["dtype"] = _dtype(device, dtype)
    if quantization is not None:
        how["quantization_config"] = _quantization_config(quantization, how["dtype"])
    if saved_quantised or quantization is not None:
        how["device_map"] = device
    return how


def _quantization_config(name: str, dtype: Any) -> Any:
    from transformers import BitsAndBytesConfig, TorchAoConfig

    if name == "bitsandbytes-4bit":
        return BitsAndBytesConfig(
            load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=dtype
        )
    if name == "bitsandbytes-8bit":
        return BitsAndBytesConfig(load_in_8bit=True)
    from torchao.quantization import Int8WeightOnlyConfig

    return TorchAoConfig(Int8WeightOnlyConfig())


def _refuse_blind(source: str, config: Any) -> None:
    from transformers import MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING

    if type(config) not in MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING:
        raise BadConfig(
            f"{source} ({config.model_type}) does not answer in words about pictures. "
            f"Type: {_EXAMPLE}"
        )


def _refuse_too_big(source: str, config: Any, device: str, dtype: Any, bits: int | None) -> None:
    """Refuse a model whose weights do not fit, before they are read; of ``bits`` if quantised."""
    torch = load_torch()
    from transformers import AutoModelForImageTextToText

    with torch.device("meta"):  # shapes without memory
        shape = AutoModelForImageTextToText.from_config(config)
    numbers = sum(parameter.numel() for parameter in shape.parameters())
    each = dtype.itemsize if bits is None else bits / 8
    need, free = numbers * each * _ROOM, free_memory(device)
    if need > free:
        raise BadConfig(
            f"{source} needs about {need / 1e9:.0f} GB on {device}, where {free / 1e9:.1f} GB are "
            f"free. Take a smaller or a quantised one, or serve it elsewhere. Type: {_EXAMPLE}"
        )


def default_dtype(device: str) -> str:
    """Name the precision in which weights are kept on a device, unless another is named."""
    return _DTYPES.get(device.partition(":")[0], "float32")


def _dtype(device: str, named: str | None = None) -> Any:
    return getattr(load_torch(), named or default_dtype(device))


def free_memory(device: str) -> int:
    """Bytes that a model may take on a device."""
    torch = load_torch()
    if device.startswith("cuda"):
        return int(torch.cuda.mem_get_info(device)[0])
    if device == "mps":
        most = torch.mps.recommended_max_memory()
        return int(most - torch.mps.current_allocated_memory())
    import psutil

    return min([psutil.virtual_memory().available, *_granted()])


def _granted(folder: Path = Path("/sys/fs/cgroup")) -> Iterator[int]:
    """Bytes left of a container's grant, if there is one."""
    try:
        limit = (folder / "memory.max").read_text(encoding="ascii").strip()
        usage = (folder / "memory.current").read_text(encoding="ascii")
    except OSError:  # not Linux, or no such group
        return
    if limit != "max":
        yield int(limit) - int(usage)


def _quantisation(config: Any) -> str | None:
    settings = getattr(config, "quantization_config", None)
    if settings is None:
        return None
    plain = settings if isinstance(settings, dict) else settings.to_dict()
    return str(plain.get("quant_method", "quantised"))


def _about(model: Any, method: str | None) -> str:
    numbers = model.num_parameters()
    size = f"{numbers / 1e9:.1f} B" if numbers >= 1e8 else f"{numbers / 1e6:.1f} M"
    precision = method or str(model.dtype).removeprefix("torch.")
    return f"{model.config.model_type}, {size} parameters, {precision} on {model.device.type}"


def _folder(path: str) -> Path:
    if Path(path).is_dir():
        return Path(path)
    from transformers.utils import cached_file

    return Path(str(cached_file(path, "config.json", local_files_only=True))).parent


def _mendable(source: str, error: Exception) -> UserError:
    from huggingface_hub.errors import LocalEntryNotFoundError

    torch = load_torch()
    causes = list(_causes(error))
    if any(isinstance(cause, torch.OutOfMemoryError) for cause in causes):
        return BadConfig(f"{source} does not fit in memory. Take a smaller one. Type: {_EXAMPLE}")
    if any(isinstance(cause, LocalEntryNotFoundError) for cause in causes):
        return BadConfig(f"{source} is not on this machine yet. Type: hf download {source}")
    if command := next(filter(None, (_INSTALL.search(str(cause)) for cause in causes)), None):
        return MissingExtra(f"What {source} needs", command[0])
    if _brings_code(source):
        return BadConfig(
            f"{source} needs code that comes with it, which is not run here. "
            f"Take a checkpoint made for transformers, or serve it. Type: {_EXAMPLE}"
        )
    return BadConfig(
        f"{source} cannot be loaded by this transformers ({type(error).__name__}). Type: {_EXAMPLE}"
    )


def _brings_code(source: str) -> bool:
    try:
        text = (Path(source).expanduser() / "config.json").read_text(encoding="utf-8")
        return "auto_map" in json.loads(text)
    except (OSError, ValueError):
        return False


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__
