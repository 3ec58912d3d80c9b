"""Encoders by name: where a new one is added. `load` loads what is heavy."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from store.encoders.base import CustomEncoder, Encoder
from store.encoders.checked_encoder import CheckedEncoder
from store.errors import StoreError, UnknownEncoder
from store.plug_ins.entry_points import ENCODERS, RAISED, PlugIn, PlugInKind
from store.plug_ins.stdout_guard import print_to_stderr

_ID_ENDS = re.compile(r"(@[0-9a-f]{12})?(\+[0-9a-f]{8})?(\+fp(16|32))?$")
"""What an id says after a checkpoint's path: its hash, how pictures are prepared, precision."""

PLUG_INS = PlugInKind(ENCODERS, ("conse", "open_clip"), own_stem="conse-")
"""Encoders that other people's packages add."""


def find_plug_in(name: str) -> PlugIn | None:
    """Return the package's encoder that a name begins with; raises ``PlugInFault``."""
    return PLUG_INS.find(name.partition(":")[0])


def check(name: str) -> None:
    """Refuse a name that no encoder has, without loading anything; raises ``UnknownEncoder``."""
    if find_plug_in(name) is not None:
        return
    is_clip = name.startswith("open_clip:") and "/" in name
    if not is_clip and name.partition("-")[0] != "conse":
        raise UnknownEncoder(name)


def find_checkpoint(name: str) -> Path | None:
    """Return the file of weights that a name leads to on this disk, if it names one."""
    plain = _ID_ENDS.sub("", name)
    tails = (plain[place.end() :] for place in re.finditer("[/=]", plain))
    paths = (Path(tail).expanduser() for tail in tails)
    return next((path for path in paths if path.is_file()), None)


@cache
def load(name: str, device: str | None = None) -> Encoder:
    """Load an encoder once per process; the same call returns the same instance.

    ``name`` is ``conse``, or ``open_clip:<model>/<pretrained tag or path of a checkpoint>``;
    ``device`` is ``cuda``, ``mps`` or ``cpu``, and ``None`` the best there is. Raises
    ``UnknownEncoder``, ``EncoderUnavailable`` where its weights cannot be had here, and
    ``PlugInFault``.
    """
    plug_in = find_plug_in(name)
    if plug_in is not None:
        return _load_plug_in(plug_in, name, device)
    if name.startswith("open_clip:"):
        from store.encoders.openclip import OpenClipEncoder  # loads open_clip: seconds

        return OpenClipEncoder.load(name, device)
    if name.partition("-")[0] == "conse":
        from store.encoders.imagenet_labels import (
            ID,
            ConseEncoder,
        )  # loads timm and transformers: seconds

        if name in ("conse", ID):
            return ConseEncoder.load(device)
    raise UnknownEncoder(name)


def _load_plug_in(plug_in: PlugIn, name: str, device: str | None) -> Encoder:
    kind = plug_in.load()
    if not (isinstance(kind, type) and issubclass(kind, CustomEncoder)):
        raise plug_in.refuse("it is no subclass of store.encoders.CustomEncoder")
    try:
        with print_to_stderr():
            encoder = kind(name, device)
            is_space = isinstance(encoder.id, str) and isinstance(encoder.dim, int)
    except StoreError:
        raise
    except RAISED as error:
        raise plug_in.refuse(f"making it fails with {plug_in.tell_error(error)}") from error
    if not is_space:
        raise plug_in.refuse("its id is no str, or its dim no int")
    if encoder.id.partition(":")[0] != plug_in.name:
        raise plug_in.refuse(f"its id {encoder.id!r} does not begin with {plug_in.name}")
    return CheckedEncoder(encoder, plug_in)
