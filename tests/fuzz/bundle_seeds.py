"""Seeds of bundles, and of lines and files with their hashes."""

from __future__ import annotations

import hashlib
import io

from store.bundle.bundle_manifest import NAME, BundledFile, BundleManifest
from store.bundle.report_record import Environment, ReportOptions
from store.jsonl.file_seal import seal
from store.jsonl.hash_chain import GONE, rewrite_lines, seal_lines
from store.untrusted.canonical_tar import write_tar

TABLE = b'run,video,answer\nr1,v1,yes\nr1,"v,2",no\n'


def seeds_of_bundles() -> dict[str, list[bytes | str]]:
    """Return the seeds of each target that checks hashes."""
    lines = seal_lines([b'{"a":1}', b'{"b":2}', b'{"c":3}'])[0]
    kept = lines.split(b"\n")[:-1]
    return {
        "bundle": [_pack(_manifest(TABLE))],
        "bundle_manifest": [_manifest(bytes(20)).model_dump_json()],
        "figure_table": [TABLE],
        "hash_chain": [
            lines,
            rewrite_lines(kept, [b'{"a":1}', b'{"b":0}', GONE], "2026-01-01"),
            b'{"old":1}\n' + lines,
        ],
        "file_seal": [seal(b'{"a": 1}\n')],
    }


def _manifest(table: bytes) -> BundleManifest:
    place = "figures/views.csv"
    told = BundledFile(place=place, bytes=len(table), sha256=hashlib.sha256(table).hexdigest())
    code = hashlib.sha256(b"").hexdigest()
    return BundleManifest(
        study=None,
        runs=("r1",),
        handles="pseudonyms",
        frames=False,
        options=ReportOptions(seed=1),
        environment=Environment(feedsway="1", code=code, python="3", system="s", packages={}),
        prompts=(),
        files=(told,),
    )


def _pack(manifest: BundleManifest) -> bytes:
    out, told = io.BytesIO(), manifest.encode()
    write_tar(out, [(NAME, len(told), [told]), (manifest.files[0].place, len(TABLE), [TABLE])])
    return out.getvalue()
