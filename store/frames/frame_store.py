"""Frames: JPEG files addressed by the SHA-256 of their bytes, and what can be told of one."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from store.errors import BadName, DamagedFrame, DataUnreadable, DataUnwritable
from store.jsonl.atomic import TEMPORARY, write_whole
from store.jsonl.mirrors import fetch_missing, mirror_of
from store.jsonl.paths import path_within, remove_within
from store.untrusted.size_limits import open_picture

if TYPE_CHECKING:
    from collections.abc import Iterator

    from PIL.Image import Image

BLANK_BELOW = 0.5
"""Standard deviation of luminance (0 to 255) below which a picture has one tone."""
FEW_TONES = 0.905
"""Share of the six commonest levels from which on a picture is drawn, not filmed.

Measured on 17 screens of a browser without a video (0.91 to 1.00) and 167 photographs (0.88 at
most). Darkened photographs reach it too, but are soft, and drawn screens are not.
"""
HARD = 0.02
"""Share of areas with faint texture only, below which a picture is drawn."""
WASH = 0.025
"""Share of areas with texture up to which a picture with contrast is a wash of colour."""
WASH_SPREAD = 6.0
"""Standard deviation of luminance from which a picture has contrast."""
SOFT_BELOW = 0.19
"""Steepness of the steepest twentieth over the standard deviation, below which all is blurred.

167 photographs have 0.21 and more, also at a twentieth of their light, letterboxed, or over a
blurred copy of themselves; blurred by a sixteenth of their width they have 0.18 at most.
"""
_HASH = re.compile(r"[0-9a-f]{64}")
_WIDTH = 90
_MOST_HEIGHT = 40 * _WIDTH
"""Of a strip that is a pixel wide, a picture of that width would fill the memory."""
_AREA = 8
"""Pixels of that width: side of the areas whose texture is looked at."""
BOX = 4
"""Pillow's filter that averages."""
Quality = Literal["ok", "blank", "blurred"]
_DRAFT = (90, 160)
"""At least this many pixels are decoded; phash needs 32 x 32."""


@dataclass(frozen=True, slots=True)
class Description:
    """What is told of a frame without knowing what it shows; width and height in pixels."""

    width: int
    height: int
    phash: str
    """64-bit perceptual hash (imagehash.phash), 16 hexadecimal digits."""
    quality: Quality
    """``blank`` has no picture in it: one tone, a spinner, a page without a video. ``blurred`` is
    soft all over, as a poster behind a loading player is."""


def describe(jpeg: bytes) -> Description:
    """Size, perceptual hash and quality of a frame; raises ``UnreadablePicture``.

    The picture is decoded in grey at a reduced size (JPEG's draft mode), five times as fast as the
    whole; the hash differs from that of the whole by 0.2 bits on average.
    """
    import imagehash

    with open_picture(jpeg) as image:
        width, height = image.size
        image.draft("L", _DRAFT)
        grey = image.convert("L")
    return Description(width, height, str(imagehash.phash(grey)), _quality(grey))


def _quality(grey: Image) -> Quality:
    import numpy as np

    height = min(max(_AREA, round(grey.height * _WIDTH / grey.width)), _MOST_HEIGHT)
    levels = np.asarray(grey.resize((_WIDTH, height), BOX), dtype=np.float64)
    spread = float(levels.std())
    rows, columns = (side // _AREA * _AREA for side in levels.shape)
    areas = levels[:rows, :columns].reshape(rows // _AREA, _AREA, -1, _AREA).std(axis=(1, 3))
    faint, clear = float((areas > 1).mean()), float((areas > 3).mean())
    counts = np.sort(np.bincount(levels.round().astype(int).ravel(), minlength=6))
    drawn = counts[-6:].sum() / levels.size >= FEW_TONES and faint - clear < HARD
    if spread < BLANK_BELOW or drawn or (spread >= WASH_SPREAD and clear <= WASH):
        return "blank"
    steep = float(np.percentile(np.hypot(*np.gradient(levels)), 95))
    return "blurred" if steep / spread < SOFT_BELOW else "ok"


@dataclass(frozen=True, slots=True)
class FrameStore:
    """Frames below one folder: ``ab/<sha256>.jpg``."""

    root: Path

    def put(self, jpeg: bytes, *, sync: bool = True) -> str:
        """Keep a frame and return its SHA-256; one that is there already is not written again.

        Without ``sync`` it may not be on the disk yet: a ledger line may only name frames that are.
        Raises ``DataUnwritable`` and leaves nothing behind.
        """
        sha256 = hashlib.sha256(jpeg).hexdigest()
        path = self.path(sha256)
        try:
            # a power cut can leave a name without its bytes: that is not the frame, so write it
            if not (path.is_file() and path.stat().st_size == len(jpeg)):
                write_whole(path, jpeg, sync=sync)
            elif (mirror := mirror_of(path)) is not None:
                mirror.put_file(path, jpeg)  # a killed call may have kept it here alone
        except OSError as error:
            raise DataUnwritable(path, error.strerror or str(error)) from None
        return sha256

    def path(self, sha256: str) -> Path:
        """Where the frame lies, or would.

        Raises ``BadName`` for what is no SHA-256, ``OutsideFolder`` where a link leads out.
        """
        if not _HASH.fullmatch(sha256):
            raise BadName(sha256)
        return path_within(self.root, self.root / sha256[:2] / f"{sha256}.jpg")

    def has(self, sha256: str) -> bool:
        """Whether the frame can be had; where it is in a mirrored store alone, it is brought."""
        path = self.path(sha256)
        fetch_missing(path)
        return path.is_file()

    def remove(self, sha256: str) -> None:
        """Delete a frame, if it is there; raises as ``path``, and ``OSError``."""
        remove_within(self.root, self.path(sha256))

    def read(self, sha256: str) -> bytes:
        """Bytes of a frame; raises ``DataUnreadable``.

        Raises ``DamagedFrame`` where the bytes are not those that the name promises.
        """
        path = self.path(sha256)
        fetch_missing(path)
        if path.exists() and not path.is_file():  # a pipe would be waited for
            raise DataUnreadable(path, "it is no regular file")
        try:
            jpeg = path.read_bytes()
        except OSError as error:
            raise DataUnreadable(path, error.strerror or str(error)) from None
        if hashlib.sha256(jpeg).hexdigest() != sha256:
            raise DamagedFrame(path)
        return jpeg

    def all(self) -> Iterator[str]:
        for folder in sorted(self.root.glob("??")):  # one at a time: paths are many and heavy
            yield from (path.stem for path in sorted(folder.glob("*.jpg")))

    def unfinished(self) -> list[Path]:
        return sorted(self.root.glob(f"??/.*{TEMPORARY}"))
