"""What a cache knows of the store: which version of each file it has, beside the files."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from store.jsonl.atomic import make_folder, write_here
from store.remote import object_names as names

STATE = ".mirror-state.json"


@dataclass(frozen=True, slots=True)
class CachedFile:
    """A file as it was when it was the same as an object; its time in nanoseconds."""

    tag: str
    size: int
    modified_ns: int

    @classmethod
    def of(cls, path: Path, tag: str) -> CachedFile:
        told = path.stat()
        return cls(tag, told.st_size, told.st_mtime_ns)


@dataclass
class CacheState:
    """Which objects a cache has, by their place in the data folder."""

    root: Path
    files: dict[str, CachedFile] = field(default_factory=dict)
    versions: dict[str, int] = field(default_factory=dict)
    """Of files of lines."""
    sweep: bool = False
    """Whether frames may be here that were deleted from the store."""

    @classmethod
    def read(cls, root: Path) -> CacheState:
        """Read what was saved; where nothing can be read, everything is compared anew."""
        try:
            saved = json.loads((root / STATE).read_bytes())
            files = {str(place): CachedFile(*each) for place, each in saved["files"].items()}
            versions = {str(place): int(each) for place, each in saved["versions"].items()}
            sweep = bool(saved["sweep"])
        except FileNotFoundError:
            return cls(root)
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            return cls(root, sweep=True)
        return cls(root, files, versions, sweep)

    def save(self) -> None:
        """Save it; another process's newer knowledge is lost, which costs a comparison."""
        files = {
            place: [each.tag, each.size, each.modified_ns] for place, each in self.files.items()
        }
        told = {"files": files, "versions": self.versions, "sweep": self.sweep}
        content = json.dumps(told).encode()
        write_here(self.root / STATE, content, sync=False)

    def changed(self, place: str, path: Path) -> bool:
        """Whether a file here is another than it was when the store had the same."""
        known = self.files.get(place)
        return known is None or CachedFile.of(path, known.tag) != known

    def files_here(self) -> Iterator[Path]:
        """Every file that a machine may have changed; frames and replies never are."""
        for top, folders, found in os.walk(self.root):
            if Path(top) == self.root:
                folders[:] = [name for name in folders if names.is_searched(name)]
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            yield from (Path(top, name) for name in sorted(found))

    def write_here(self, path: Path, content: bytes) -> None:
        make_folder(path.parent, sync=False)
        write_here(path, content, sync=False)
