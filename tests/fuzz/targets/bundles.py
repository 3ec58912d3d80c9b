"""Doors of bundles, and of what says that lines and files are as they were written."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from store.bundle.bundle_manifest import NAME, BundleManifest
from store.bundle.errors import BadBundle
from store.bundle.figure_tables import read_rows
from store.bundle.unpack import open_bundle
from store.jsonl.append_only import committed
from store.jsonl.file_seal import check_seal, seal, strip_seal
from store.jsonl.hash_chain import GONE, ChainWalk, body_of, reseal, rewrite_lines
from store.untrusted.canonical_tar import write_tar
from store.untrusted.foreign_tables import BadTable
from tests.fuzz.guard import Target

MOST_BYTES = 1 << 16
"""Of the members that a manifest asks for here."""


def _open(content: bytes, place: Path) -> object:
    """Nothing lands outside of the folder, and what is opened is what the manifest says."""
    file, folder = place / "a.bundle.tar", place / "out"
    file.write_bytes(content)
    told = open_bundle(file, folder)
    for member in told.manifest.files:
        assert (folder / member.place).stat().st_size == member.bytes
    return told.sha256, told.bytes, len(told.manifest.files)


def _open_manifest(content: bytes, place: Path) -> object:
    """Open an archive of empty pages to which a manifest, sealed as it must be, fits."""
    manifest = BundleManifest.model_validate_json(content)
    sizes = [member.bytes for member in manifest.files]
    if sum(sizes) > MOST_BYTES:
        return None
    told = manifest.encode()
    members = [(NAME, len(told), [told])]
    members += [(each.place, each.bytes, [bytes(each.bytes)]) for each in manifest.files]
    with (place / "made.tar").open("wb") as out:
        write_tar(out, members)
    return _open((place / "made.tar").read_bytes(), place)


def _read_figures(content: bytes, place: Path) -> object:
    path = place / "a.csv"
    path.write_bytes(content)
    return list(map(len, read_rows(path)))


def _walk_chain(content: bytes, _: Path) -> object:
    """A file that nobody rewrites stays, and one that is sealed anew has no fault."""
    lines = committed(content)[0]
    walk = ChainWalk()
    taken = [walk.take(line) for line in lines]
    bodies = [body for body, _ in taken]
    assert bodies == [body_of(line) for line in lines]
    whole = all(fault is None for _, fault in taken)
    if lines and whole and walk.unsealed == 0:
        assert rewrite_lines(lines, bodies, "2026-01-01") == b"".join(one + b"\n" for one in lines)
        left = [body for body in bodies if body != GONE]
        again = ChainWalk()
        assert all(again.take(line)[1] is None for line in committed(reseal([lines], left))[0])
    return [fault for _, fault in taken], walk.unsealed, sorted(walk.rewritten)


def _check_file(content: bytes, _: Path) -> object:
    state = check_seal(content)
    bare = strip_seal(content)
    if state == "unsealed":
        sealed = seal(content)
        assert strip_seal(sealed) == content
        assert check_seal(sealed) == "whole"
    return state, len(bare)


TARGETS = (
    Target(
        "bundle",
        ("store/bundle/unpack.py", "store/untrusted/canonical_tar.py"),
        _open,
        (BadBundle,),
    ),
    Target(
        "bundle_manifest",
        ("store/bundle/bundle_manifest.py", "store/untrusted/canonical_tar.py"),
        _open_manifest,
        (BadBundle, ValidationError),
        "json",
    ),
    Target("figure_table", ("store/bundle/figure_tables.py",), _read_figures, (BadTable,), "text"),
    Target("hash_chain", ("store/jsonl/hash_chain.py",), _walk_chain, (), "text"),
    Target("file_seal", ("store/jsonl/file_seal.py",), _check_file),
)
