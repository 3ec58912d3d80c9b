"""A byte that was changed anywhere in a bundle is told, with the member in which it lies."""

from __future__ import annotations

import io
import random
import re
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from store.bundle.bundle_manifest import NAME, BundledFile, BundleManifest
from store.bundle.errors import BadBundle
from store.bundle.unpack import open_bundle
from store.untrusted.canonical_tar import write_tar
from tests.store.bundle.conftest import Workplace

STRUCTURE = "own structure|no whole bundle"


def owners(content: bytes) -> list[tuple[int, str]]:
    """Where each part of an archive ends, as Python's own reader finds it, and how it is told."""
    ends = []
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        for member in tar:
            ends.append((member.offset_data, STRUCTURE))
            ends.append((member.offset_data + member.size, re.escape(member.name)))
    return [*ends, (len(content), STRUCTURE)]


@pytest.mark.parametrize(
    "count", [40, pytest.param(500, marks=pytest.mark.drill)], ids=["few", "many"]
)
def test_every_changed_byte_is_told_with_its_member(
    reported: Workplace, tmp_path: Path, count: int
) -> None:
    content = reported.file.read_bytes()
    parts = owners(content)
    rng = random.Random(19)
    places = [0, 130, 600, len(content) - 1, *(end for end, _ in parts[:6])]
    places += [rng.randrange(len(content)) for _ in range(count - len(places))]
    told = 0
    for number, place in enumerate(places):
        changed = bytearray(content)
        changed[place] ^= rng.randrange(1, 256)
        file = tmp_path / "changed.tar"
        file.write_bytes(changed)
        owner = next(name for end, name in parts if place < end)
        with pytest.raises(BadBundle, match=owner):
            open_bundle(file, tmp_path / str(number))
        told += 1
    assert told == count


def test_the_archive_is_one_that_any_tar_reads(reported: Workplace) -> None:
    with tarfile.open(reported.file) as tar:
        members = tar.getmembers()
        first = tar.extractfile(members[0])
        assert first is not None
        manifest = BundleManifest.decode(first.read())
    assert members[0].name == NAME
    assert [one.name for one in members[1:]] == [one.place for one in manifest.files]
    assert {(one.mtime, one.uid, one.gid, one.mode) for one in members} == {(0, 0, 0, 0o644)}
    assert len(members) == 34


def test_a_file_that_ends_early_or_goes_on_is_refused(reported: Workplace, tmp_path: Path) -> None:
    content, file = reported.file.read_bytes(), tmp_path / "x.tar"
    for number, end in enumerate((0, 1, 511, 512, 5000, 700_000, len(content) - 1)):
        file.write_bytes(content[:end])
        with pytest.raises(BadBundle, match=r"no whole bundle: it .*, then type: "):
            open_bundle(file, tmp_path / str(number))
    file.write_bytes(content + b"\0")
    with pytest.raises(BadBundle, match="bytes after the end"):
        open_bundle(file, tmp_path / "longer")


def _with(tar: tarfile.TarFile, name: str, kind: bytes, link: str = "") -> None:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, link
    tar.addfile(member)


@pytest.mark.parametrize(
    ("name", "kind", "link"),
    [
        ("data/x", tarfile.SYMTYPE, "/etc/passwd"),
        ("data/x", tarfile.LNKTYPE, "manifest.json"),
        ("../x", tarfile.REGTYPE, ""),
        ("/x", tarfile.REGTYPE, ""),
        ("data/x", tarfile.CHRTYPE, ""),
        ("data", tarfile.DIRTYPE, ""),
        (NAME, tarfile.REGTYPE, ""),
    ],
)
def test_what_no_bundle_holds_is_refused(
    reported: Workplace, tmp_path: Path, name: str, kind: bytes, link: str
) -> None:
    """A link, a way out, a device, a folder and a second manifest, behind an honest beginning."""
    made = io.BytesIO()
    with tarfile.open(reported.file) as honest, tarfile.open(fileobj=made, mode="w") as tar:
        for member in honest:
            tar.addfile(member, honest.extractfile(member))
        _with(tar, name, kind, link)
    file = tmp_path / "hostile.tar"
    file.write_bytes(made.getvalue())
    with pytest.raises(BadBundle, match="own structure"):
        open_bundle(file, tmp_path / "out")
    alone = io.BytesIO()
    with tarfile.open(fileobj=alone, mode="w") as tar:
        _with(tar, name, kind, link)
    file.write_bytes(alone.getvalue())
    with pytest.raises(BadBundle, match=r"no whole bundle|is damaged in manifest\.json"):
        open_bundle(file, tmp_path / "out2")
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(
    "place",
    [
        "../out.json",
        "data/../../out.json",
        "/tmp/out.json",
        "data/compact/r.parquet",
        "data/pseudonyms.key",
        "data/runs/r/../ledger.jsonl",
        "data/runs/r\0/ledger.jsonl",
        "data/runs/r/judgements/../../../x.jsonl",
        "figures/a/b.csv",
        "manifest.json",
        "data/runs/" + "r" * 300 + "/ledger.jsonl",
    ],
)
def test_no_place_but_those_of_a_bundle_is_written(tmp_path: Path, place: str) -> None:
    """A manifest that somebody made by hand, sealed as it must be."""
    good = BundledFile(place="figures/x.csv", bytes=1, sha256="0" * 64)
    bad = good.model_construct(**{**dict(good), "place": place})
    file = forged(tmp_path, (bad,), lambda: [(place, 1, iter([b"x"]))])
    with pytest.raises(BadBundle, match=r"manifest.json: .*no place in a bundle"):
        open_bundle(file, tmp_path / "deep" / "out")
    assert {path.name for path in tmp_path.iterdir()} == {"forged.tar"}


def test_one_place_twice_is_refused(tmp_path: Path) -> None:
    twice = (BundledFile(place="figures/x.csv", bytes=1, sha256="0" * 64),) * 2
    file = forged(tmp_path, twice, lambda: [("figures/x.csv", 1, iter([b"x"]))] * 2)
    with pytest.raises(BadBundle, match="stands in it twice"):
        open_bundle(file, tmp_path / "out")


def forged(
    folder: Path,
    files: tuple[BundledFile, ...],
    members: Callable[[], list[tuple[str, int, object]]],
) -> Path:
    from store.bundle.report_record import Environment, ReportOptions

    made_by = Environment(feedsway="1", code="0" * 64, python="3", system="x", packages={})
    manifest = BundleManifest(
        study="s",
        runs=(),
        handles="kept",
        frames=False,
        options=ReportOptions(seed=0),
        environment=made_by,
        prompts=(),
        files=(),
    ).model_copy()
    told = BundleManifest.model_construct(**{**dict(manifest), "files": files}).encode()
    out = io.BytesIO()
    clean = [(name.replace("\0", "_"), size, pieces) for name, size, pieces in members()]
    write_tar(out, [(NAME, len(told), iter([told])), *clean])  # type: ignore[list-item]
    (folder / "forged.tar").write_bytes(out.getvalue())
    return folder / "forged.tar"
