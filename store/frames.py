"""Frames: JPEG files addressed by the SHA-256 of their bytes, and what can be told of one.

Refuses to know which run a frame belongs to (``ledger``) and what it shows (``encoders``).
"""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from store.errors import DamagedFrame, DataUnreadable, DataUnwritable
from store.files import TEMPORARY, write_whole

if TYPE_CHECKING:
    from collections.abc import Iterator

BLANK_BELOW = 0.5
"""Standard deviation of luminance (0 to 255) below which a picture counts as blank.

Taken of the picture at a quarter of its size. A flat area as JPEG has 0, with codec noise of two
levels 0.4; photographs darkened to a fortieth (nothing brighter than 6) have 0.55 and more.
"""
_DRAFT = (90, 160)
"""At least this many pixels are decoded; phash needs 32 x 32."""


@dataclass(frozen=True, slots=True)
class Description:
    """What is told of a frame without knowing what it shows."""

    width: int
    """Pixels."""
    height: int
    """Pixels."""
    phash: str
    """64-bit perceptual hash (imagehash.phash), 16 hexadecimal digits."""
    quality: Literal["ok", "blank"]
    """``blank`` is a picture of one tone. Blur is not judged: a soft video is no fault."""


def describe(jpeg: bytes) -> Description:
    """Size, perceptual hash and quality of a frame.

    The picture is decoded in grey at a reduced size (JPEG's draft mode), five times as fast as the
    whole; the hash differs from that of the whole by 0.2 bits on average.

    Raises
    ------
    ValueError
        The bytes are no picture.
    """
    import imagehash
    import numpy as np
    from PIL import Image

    try:
        with Image.open(io.BytesIO(jpeg)) as image:
            width, height = image.size
            image.draft("L", _DRAFT)
            grey = image.convert("L")
    except OSError as error:
        raise ValueError(f"not a picture: {error}") from None
    spread = float(np.asarray(grey).std())
    return Description(
        width, height, str(imagehash.phash(grey)), "blank" if spread < BLANK_BELOW else "ok"
    )


@dataclass(frozen=True, slots=True)
class FrameStore:
    """Frames below one folder: ``ab/<sha256>.jpg``."""

    root: Path

    def put(self, jpeg: bytes, *, sync: bool = True) -> str:
        """Keep a frame and return its SHA-256; one that is there already is not written again.

        Parameters
        ----------
        jpeg
            The file's bytes.
        sync
            Wait until it is on the disk. A ledger line may only name frames that are.

        Raises
        ------
        DataUnwritable
            The disk refused; nothing is left behind.
        """
        sha256 = hashlib.sha256(jpeg).hexdigest()
        path = self.path(sha256)
        try:
            # a power cut can leave a name without its bytes: that is not the frame, so write it
            if not (path.is_file() and path.stat().st_size == len(jpeg)):
                write_whole(path, jpeg, sync=sync)
        except OSError as error:
            raise DataUnwritable(path, error.strerror or str(error)) from None
        return sha256

    def path(self, sha256: str) -> Path:
        """Where the frame lies, or would."""
        return self.root / sha256[:2] / f"{sha256}.jpg"

    def read(self, sha256: str) -> bytes:
        """Bytes of a frame.

        Raises
        ------
        DamagedFrame
            The bytes are not those that the name promises.
        DataUnreadable
            The file is missing or cannot be read.
        """
        path = self.path(sha256)
        try:
            jpeg = path.read_bytes()
        except OSError as error:
            raise DataUnreadable(path, error.strerror or str(error)) from None
        if hashlib.sha256(jpeg).hexdigest() != sha256:
            raise DamagedFrame(path)
        return jpeg

    def all(self) -> Iterator[str]:
        """SHA-256 of every frame that is kept, in order."""
        for path in sorted(self.root.glob("??/*.jpg")):
            yield path.stem

    def unfinished(self) -> list[Path]:
        """Temporary files left behind by killed writers."""
        return sorted(self.root.glob(f"??/.*{TEMPORARY}"))
