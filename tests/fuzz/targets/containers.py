"""Doors of containers: archives, zips, recordings, donations, pictures, packages' metadata."""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile
from importlib.metadata import PathDistribution
from pathlib import Path

from agent.doctor.expected_videos import read_expected
from agent.errors import BadRecording
from agent.recordings.recording_file import Line, pack_lines, read_recording
from store.dataset.donations import read_donation
from store.errors import BackupFault, FolderFault, StoreError
from store.frames.frame_store import describe
from store.maintenance.restore import restore
from store.plug_ins import entry_points
from store.runs.data_folder import DataFolder
from store.untrusted.archives import BadArchive, read_members
from store.untrusted.json_files import BadJson, parse_json
from store.untrusted.packed_lines import read_packed_lines
from store.untrusted.size_limits import ForeignFault, UnreadablePicture, decode_picture
from store.untrusted.zip_members import read_member
from tests.fuzz.guard import Target


def _read_tar(content: bytes, _: Path) -> object:
    told, total = [], 0
    for member in read_members(io.BytesIO(content), 1000, 1 << 20):
        got = sum(map(len, member.pieces())) if member.is_file else 0
        assert got in (0, member.size)
        total += got
        told.append(ascii(member.name))
    assert total <= 1 << 20
    return told


def _restore(content: bytes, place: Path) -> object:
    """Nothing lands outside of the folder, and a refused backup leaves nothing in it."""
    file = place / "backup.tar"
    file.write_bytes(content)
    data = DataFolder(place / "data")
    try:
        told = restore(file, data)
    except StoreError:
        assert sorted(path.name for path in place.iterdir()) == ["backup.tar"]
        raise
    return told.files, told.bytes, told.unknown


def _repack(content: bytes, place: Path) -> object:
    """Restore an archive whose names and bytes are the lines of the input."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for line in content.split(b"\n")[:20]:
            name, _, body = line.partition(b"=")
            info = tarfile.TarInfo(name.decode("utf-8", "surrogateescape")[:200] or "x")
            info.size = len(body)
            tar.addfile(info, io.BytesIO(body))
    return _restore(out.getvalue(), place)


def _read_zip(content: bytes, place: Path) -> object:
    path = place / "a.zip"
    path.write_bytes(content)
    found = read_member(path, ("a.json", "b.json"), 1 << 20)
    assert found is None or len(found) <= 1 << 20
    return None if found is None else len(found)


def _read_donation(content: bytes, place: Path) -> object:
    path = place / "a.json"
    path.write_bytes(content)
    told = read_donation(path)
    times = [each.at for each in told.videos]
    assert times == sorted(times)
    assert told.left_out >= 0
    for each in told.videos[:20]:
        assert each.video.id
        each.step(0).model_dump_json()
    return told.platform, len(told.videos), told.mark


def _read_zipped_donation(content: bytes, place: Path) -> object:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/user_data_tiktok.json", content)
    return _read_donation(packed.getvalue(), place)


def _read_recording(content: bytes, place: Path) -> object:
    path = place / "recording.jsonl.gz"
    path.write_bytes(gzip.compress(content, 1))
    told = read_recording(path)
    lines: list[Line] = [told.header, *told.inline]
    for due, scene in enumerate(told.scenes):
        lines += [each.answer for each in told.answers if each.due == due]
        lines.append(scene)
    lines += [each.answer for each in told.answers if each.due == len(told.scenes)]
    path.write_bytes(pack_lines(lines))
    again = read_recording(path)
    assert again.scenes == told.scenes
    assert len(again.answers) == len(told.answers)
    return told.header, len(told.scenes), len(told.answers)


def _read_packed(content: bytes, place: Path) -> object:
    path = place / "a.gz"
    path.write_bytes(content)
    return len(list(read_packed_lines(path, 1 << 20, 1000, 1 << 16)))


def _read_json(content: bytes, _: Path) -> object:
    return len(repr(parse_json(content)))


def _read_picture(content: bytes, _: Path) -> object:
    picture = decode_picture(content)
    seen = describe(content)
    assert (seen.width, seen.height) == picture.size
    return picture.size, seen.phash, seen.quality


def _read_package(content: bytes, place: Path) -> object:
    """Read the entry points of a package, whose METADATA follows a NUL."""
    points, _, metadata = content.partition(b"\0")
    folder = place / "a-1.dist-info"
    folder.mkdir()
    (folder / "entry_points.txt").write_bytes(points)
    (folder / "METADATA").write_bytes(metadata or b"Name: a\nVersion: 1\n")
    dist = PathDistribution(folder)
    try:
        found = entry_points._read(dist)
    except Exception as error:  # noqa: BLE001 - whatever a stranger's files are wrong with is told
        words = f"{type(error).__name__}: {error}"[:200]
        return entry_points.BrokenPackage(entry_points._find_name(dist), str(folder), words).fix[
            :40
        ]
    return [each.label for each in found]


def _read_approved(content: bytes, place: Path) -> object:
    (place / "expected.json").write_bytes(content)
    return read_expected(place)


TARGETS = (
    Target("tar", ("store/untrusted/archives.py",), _read_tar, (BadArchive,)),
    Target(
        "restore",
        ("store/maintenance/restore.py", "store/untrusted/archives.py"),
        _restore,
        (BackupFault, FolderFault),
    ),
    Target("restore_names", ("store/maintenance/restore.py",), _repack, (StoreError,), "text"),
    Target("zip", ("store/untrusted/zip_members.py",), _read_zip, (ForeignFault,)),
    Target(
        "donation",
        ("store/dataset/donations.py", "store/dataset/watch_history.py"),
        _read_donation,
        (ForeignFault,),
        "json",
    ),
    Target(
        "donation_zip",
        ("store/dataset/donations.py", "store/untrusted/zip_members.py"),
        _read_zipped_donation,
        (ForeignFault,),
        "json",
    ),
    Target(
        "recording",
        ("agent/recordings/recording_file.py", "store/untrusted/packed_lines.py"),
        _read_recording,
        (BadRecording,),
        "lines",
    ),
    Target(
        "packed_lines", ("store/untrusted/packed_lines.py",), _read_packed, (ForeignFault, OSError)
    ),
    Target("json", ("store/untrusted/json_files.py",), _read_json, (BadJson,), "json"),
    Target(
        "picture",
        ("store/untrusted/size_limits.py", "store/frames/frame_store.py"),
        _read_picture,
        (UnreadablePicture,),
    ),
    Target("entry_points", ("store/plug_ins/entry_points.py",), _read_package, (), "text"),
    Target(
        "approved_reading",
        ("agent/doctor/expected_videos.py",),
        _read_approved,
        (Exception,),
        "json",
    ),
)
