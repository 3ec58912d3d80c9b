"""Clip files: made on first use, cached by content, safe to share between processes.

A clip's name is the hash of its recipe, so that a changed recipe makes a new file; files appear
by renaming, so that a killed process leaves no half clip.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from functools import cache
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO
from uuid import uuid4

import PIL
from platformdirs import user_cache_path

from agent.playground import clip_frames
from agent.playground.catalogue import CatalogueItem
from agent.playground.clip_frames import ClipRecipe, recipe_for
from agent.playground.errors import ClipFailed, FolderUnwritable
from agent.playground.footage import Film, Footage, decode_film, load_footage, locate_footage

VERSION = 2  # of how a recipe is turned into a file

_PIXELS = ["-pix_fmt", "yuv420p"]
_FAST = ["-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-threads", "1"]
_QUALITY = ["-b:v", "0", "-crf", "40", "-g", "600"]
_ENCODER = [*_PIXELS, *_FAST, *_QUALITY, "-f", "webm"]
_POSTER_QUALITY = 82
_DRAFT_AGE_S = 3600


class _EncoderFault(Exception):
    """What ffmpeg said before it gave up."""


class ClipStore:
    """A folder of clips and posters, made if need be, or ``FolderUnwritable``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
            probe = folder / f".{uuid4().hex}.probe"
            probe.touch()
            self._sweep(probe.stat().st_mtime)
            probe.unlink()
        except OSError as error:
            raise FolderUnwritable(folder, "--cache", error.strerror or str(error)) from error

    def clip(self, item: CatalogueItem) -> Path:
        """Where an item's clip lies, or will lie."""
        return item.file or self.folder / f"{_name(item)}.webm"

    def poster(self, item: CatalogueItem) -> Path:
        return self.folder / f"{_name(item)}.jpg"

    def has(self, item: CatalogueItem) -> bool:
        """Whether the clip is there; the poster is written before it."""
        return self.clip(item).is_file()

    def make(self, items: Iterable[CatalogueItem]) -> int:
        """Make the missing clips of items that share one footage; returns how many those were.

        Raises
        ------
        ClipFailed, FootageMissing
        """
        missing = [item for item in items if not self.has(item)]
        if missing:
            decoded = _film(_footage(missing[0]))
            for item in missing:
                self._make(item, decoded)
        return len(missing)

    def _sweep(self, now: float) -> None:
        """Remove drafts that a killed process left."""
        for draft in self.folder.glob(".*"):
            with suppress(FileNotFoundError):  # another process has just finished with it
                if now - draft.stat().st_mtime > _DRAFT_AGE_S:
                    draft.unlink()

    def _make(self, item: CatalogueItem, decoded: Film | None) -> None:
        recipe = recipe_for(item, _footage(item))
        draft = self.folder / f".{uuid4().hex}"
        loop, whole, poster = (draft.with_suffix(end) for end in (".loop", ".webm", ".jpg"))
        try:
            _encode(recipe, decoded, loop, poster)
            again = ["-stream_loop", str(recipe.loops - 1), "-i", str(loop), "-c", "copy"]
            with _ffmpeg([*again, "-cues_to_front", "1", str(whole)]):
                pass
            poster.replace(self.poster(item))
            whole.replace(self.clip(item))
        except OSError as error:
            raise FolderUnwritable(self.folder, "--cache", str(error)) from error
        except _EncoderFault as error:
            raise ClipFailed(item.id, str(error)) from error
        finally:
            for file in (loop, whole, poster):
                file.unlink(missing_ok=True)


def _encode(recipe: ClipRecipe, decoded: Film | None, loop: Path, poster: Path) -> None:
    """Encode one loop; what repeats is copied afterwards, which costs next to nothing."""
    size = f"{clip_frames.WIDTH}x{clip_frames.HEIGHT}"
    raw = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", size, "-r", str(clip_frames.FPS), "-i", "-"]
    with _ffmpeg([*raw, *_ENCODER, str(loop)]) as stdin:
        for number, frame in enumerate(clip_frames.compose_frames(recipe, decoded)):
            if number == 0:
                frame.save(poster, quality=_POSTER_QUALITY)
            stdin.write(frame.tobytes())


@contextmanager
def _ffmpeg(arguments: list[str]) -> Iterator[IO[bytes]]:
    """Run ffmpeg, giving its standard input; an ``_EncoderFault`` holds what it said."""
    import imageio_ffmpeg  # looks for its program when imported

    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-loglevel", "error", "-y", *arguments]
    with TemporaryFile() as said:  # a file, since a full pipe would block both sides
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stderr=said)
        assert process.stdin is not None
        try:
            with process.stdin as stdin:
                yield stdin
        except BrokenPipeError:
            pass  # ffmpeg gave up; it says why below
        finally:
            code = process.wait()
        if code:
            said.seek(0)
            raise _EncoderFault(said.read().decode(errors="replace").strip() or f"exit code {code}")


def default_cache() -> Path:
    """Where clips are kept unless told otherwise."""
    return user_cache_path("feedsway") / "clips"


def _footage(item: CatalogueItem) -> Footage:
    shipped = load_footage().get(item.footage)
    return shipped or Footage(name=item.footage, source=item.footage)


def _film(footage: Footage) -> Film | None:
    return None if footage.layout == "scene" else decode_film(footage)


def _stamp(footage: Footage) -> list[int]:
    """What tells one state of a footage's file from another; own files change in place."""
    path = locate_footage(footage.source)
    stat = path.stat()
    return [stat.st_size, stat.st_mtime_ns] if path == Path(footage.source) else [stat.st_size]


@cache
def _name(item: CatalogueItem) -> str:
    """Hash of all that decides the bytes of a clip."""
    footage = _footage(item)
    scene = footage.layout == "scene"
    decisive = {
        "version": VERSION,
        "pillow": PIL.__version__,
        "encoder": _ENCODER,
        "footage": None if scene else _stamp(footage),
        "recipe": asdict(recipe_for(item, footage)),
    }
    return hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()[:32]
