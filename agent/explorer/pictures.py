"""Frames as a page shows them: small ones made when they are asked for, and kept in memory."""

from __future__ import annotations

import io
import threading
from collections import OrderedDict

from store.errors import StoreError
from store.frames.frame_store import FrameStore
from store.untrusted.size_limits import UnreadablePicture, open_picture

SIZE = (180, 320)
_QUALITY = 72
_MOST_BYTES = 96 << 20


class SmallPictures:
    """Frames as JPEG files of at most ``SIZE`` pixels; the ones used last are kept."""

    def __init__(self, frames: FrameStore) -> None:
        self._frames = frames
        self._kept: OrderedDict[str, bytes] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def read(self, sha256: str) -> bytes | None:
        """Return a frame made small; ``None`` where it is gone, damaged, or no frame's name."""
        try:
            if not self._frames.has(sha256):
                self._drop(sha256)  # it may have been forgotten since
                return None
            with self._lock:
                if sha256 in self._kept:
                    self._kept.move_to_end(sha256)
                    return self._kept[sha256]
            small = _shrink(self._frames, sha256)
        except (StoreError, UnreadablePicture, OSError):
            return None
        with self._lock:
            if sha256 not in self._kept:
                self._kept[sha256] = small
                self._bytes += len(small)
            while self._bytes > _MOST_BYTES:
                self._bytes -= len(self._kept.popitem(last=False)[1])
        return small

    def _drop(self, sha256: str) -> None:
        with self._lock:
            self._bytes -= len(self._kept.pop(sha256, b""))


def _shrink(frames: FrameStore, sha256: str) -> bytes:
    sink = io.BytesIO()
    with open_picture(frames.path(sha256)) as picture:
        picture.thumbnail(SIZE)  # a JPEG is decoded at a part of its size, in a quarter of the time
        picture.convert("RGB").save(sink, "JPEG", quality=_QUALITY)
    return sink.getvalue()
