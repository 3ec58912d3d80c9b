"""What the corpus began with: small inputs of the real formats, made by what writes them."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
import tempfile
import zipfile
from pathlib import Path
from typing import Any

from PIL import Image

from agent.daemon.config import watch_file
from agent.platforms import adapter_file
from agent.recordings.recording_file import PageNode, RecordingHeader, Scene, pack_lines
from agent.study import study_file
from personas.library import HOME
from store.maintenance.backup import MANIFEST, backup
from store.runs.data_folder import DataFolder
from store.runs.ledger import LedgerWriter
from store.terminal.config_file import CONFIG_KEYS
from tests.agent.platforms.payloads import REAL
from tests.fuzz.bundle_seeds import seeds_of_bundles
from tests.fuzz.kept_seeds import A_HASH, A_MANIFEST, APPROVED, seeds_of_lines
from tests.fuzz.targets.tables import seed_csv
from tests.store.samples import START, finished, started, step

CORPUS = Path(__file__).parent / "corpus"
Seeds = dict[str, list[bytes | str]]


def name_input(content: bytes) -> str:
    """Name an input by what it holds."""
    return hashlib.sha256(content).hexdigest()[:16]


def write_corpus() -> int:
    """Add the seeds to the corpus; return how many files it has."""
    for target, inputs in make_seeds().items():
        folder = CORPUS / target
        folder.mkdir(parents=True, exist_ok=True)
        for one in inputs:
            content = one.encode() if isinstance(one, str) else one
            (folder / name_input(content)).write_bytes(content)
    return sum(path.is_file() for path in CORPUS.rglob("*"))


def make_seeds() -> Seeds:
    """Return the seeds of each target."""
    return {
        **_of_sites(),
        **_of_replies(),
        **_of_tables(),
        **seeds_of_lines(),
        **_of_declarations(),
        **_of_containers(),
        **seeds_of_bundles(),
        **_of_requests(),
    }


def _of_sites() -> Seeds:
    found: Seeds = {
        f"site_{site}": [
            json.dumps({"url": url, "body": _smaller(body)}) for url, body in payloads[:3]
        ]
        for site, payloads in REAL.items()
    }
    items = [_first_item(body) for _, body in REAL["tiktok"][:1]]
    envelope = {"source_platform": "tiktok.com", "timestamp_collected": 1772366400000}
    found["capture"] = ["\n".join(json.dumps({**envelope, "data": item}) for item in items)]
    media = {
        "code": "Cabcdefgh1",
        "pk": "3",
        "media_type": 8,
        "caption": {"text": "a #b"},
        "taken_at": 1767312000,
    }
    found["capture"].append(
        json.dumps({**envelope, "source_platform": "instagram.com", "data": media})
    )
    found["session"] = [json.dumps(_smaller(REAL["instagram"][0][1]))]
    return found


def _smaller(body: Any) -> Any:
    """Keep one entry of each list, so that an input stays small."""
    if isinstance(body, dict):
        return {name: _smaller(each) for name, each in body.items()}
    return [_smaller(each) for each in body[:1]] if isinstance(body, list) else body


def _first_item(body: Any) -> Any:
    return body["itemList"][0]


def _of_replies() -> Seeds:
    plain: list[bytes | str] = [
        "Yes.\nReason: I surf.\nDescription: A wave.",
        "No, I would scroll past this. It is not my thing.",
        '```json\n{"answer": "yes", "reason": "I like it"}\n```',
        "<think>maybe</think>\n**Answer:** No",
        "Keep watching: yes\nLike: no",
        "いいえ、見ません。",
        "I cannot view images.",
    ]
    isq = {"v_a": 7, "c_s": 6.5, "e_e": "8", "v_e": 5, "p_a": 1, "a_d": True, "reason": "r"}
    reply = {"text": "yes", "p_yes": 0.7, "cost_usd": 0.01, "input_tokens": 5, "image_vector": None}
    usage = {
        "input_tokens": 10,
        "output_tokens": 3,
        "total_tokens": 13,
        "input_tokens_cache_read": 4,
    }
    line = {
        "custom_id": "a",
        "response": {"status_code": 200, "body": {"choices": [{"text": "x"}]}},
    }
    return {
        "reply_choice": plain,
        "reply_mirrored": plain[:3],
        "reply_pick": ["Answer: A\nReason: b", "(b)."],
        "reply_text": ["A wave breaks.", "I'm sorry, I can't help with that."],
        "reply_isq": [json.dumps(isq), f"Here:\n```json\n{json.dumps(isq)} // done\n```"],
        "reply_plain_answer": [bytes(range(12)), bytes(range(60, 72))],
        "batch_results": [json.dumps(line) + "\n" + json.dumps({**line, "custom_id": "b"})],
        "model_reply": [json.dumps(reply), json.dumps({**reply, "notes": {"a": "b"}})],
        "model_usage": [json.dumps(usage)],
    }


_SHEET = (
    '<worksheet><sheetData><row r="1"><c r="A1" t="s"><v>0</v></c><c r="C1"><v>1.5</v></c></row>'
    '<row r="3"><c r="A3" t="inlineStr"><is><t>x</t></is></c><c t="b"><v>1</v></c></row>'
    "</sheetData></worksheet>"
)
_SHARED = "<sst><si><t>run</t></si><si><t>a</t><rPh><t>b</t></rPh></si></sst>"


def _of_tables() -> Seeds:
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = seed_csv()
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as book:
        book.writestr(
            "xl/workbook.xml",
            '<workbook xmlns:r="r"><sheets><sheet name="A" r:id="a"/></sheets></workbook>',
        )
        book.writestr("xl/_rels/workbook.xml.rels", '<R><Relationship Id="a" Target="s.xml"/></R>')
        book.writestr("xl/s.xml", _SHEET.replace(' t="s"', ""))
    columns = io.BytesIO()
    pq.write_table(pa.table({"run": ["a", "b"], "position": [0, 1], "score": [0.5, None]}), columns)
    task = {
        "data": {"question": "q1"},
        "annotations": [
            {
                "created_at": "2026-01-01T00:00:00Z",
                "completed_by": {"id": 1, "email": "a@b.c"},
                "result": [
                    {
                        "from_name": "answer",
                        "value": {"choices": ["yes"]},
                        "meta": {"labeller": "anna"},
                    }
                ],
            }
        ],
    }
    typed = b"run=session,position=#,answer=:yes,arm=treatment if kind==a else passive\n"
    mapped = typed + b"session,kind\ns,a\ns,a\nt,b\nt,b\n"
    return {
        "table_csv": [table, "sep=;\na;b\n1,5;2\n", "a,b\n1,2\n".encode("utf-16")],
        "table_parquet": [columns.getvalue()],
        "sheet": [_SHEET + "\0" + _SHARED],
        "sheet_zip": [packed.getvalue()],
        "views": [b"\n" + table, mapped],
        "number": ["1,5", "12", "-nan", "1e5", "1.234,5"],
        "labels_file": [
            "question,answer,by,at\nq1,yes,anna,2026-01-01T00:00:00Z\nq2,no,,\n",
            json.dumps([task]),
        ],
        "studio": [json.dumps([task])],
        "clip_folder": ["file,caption,creator,likes,ad\na.jpg,words,me,12,no\n"],
        "screenshots": [
            "file,caption,author,at,hashtags\na.jpg,words,me,2026-01-01T00:00:00+01:00,a b\n"
        ],
        "clean_text": ["a\u202eb\x1b[31m\tc\n", "=1+1", "@me"],
    }


_DUE = (
    'cron = "0 18 * * mon-fri"',
    'between = "22:00-02:00"\nquiet_hours = "23:00-07:00"\ntimezone = "Europe/Berlin"',
)


def _entry(due: str) -> str:
    return f'[[entry]]\nname = "a"\n{due}\nrun = {{persona = "p12"}}\n'


def _of_declarations() -> Seeds:
    own = Path(adapter_file.__file__)
    return {
        "toml": ["a.b = 1\n[c]\nd = [1, {e = 'f'}]\n[[g]]\nh = 2026-01-01T00:00:00Z\n"],
        "watch_file": [watch_file.EXAMPLE, *map(_entry, _DUE)],
        "study_file": [study_file.EXAMPLE],
        "adapter_file": [own.with_name("instagram.toml").read_bytes()],
        "config_file": ["".join(f"{key.name} = {key.example}\n" for key in CONFIG_KEYS)],
        "persona": [
            (HOME / "p12.toml").read_bytes(),
            'id = "me"\ntraits = ["I a b.", "I c d.", "I e f."]\n',
        ],
        "persona_chat": [
            "1 your persona: i ski.\n2 your persona: i bake bread.\n3 your persona: i sing.\n"
            "4 partner's persona: i run.\n5 hello , you ?\thi\n1 your persona: i a.\n"
        ],
    }


def _of_containers() -> Seeds:
    header = RecordingHeader(
        platform="tiktok",
        url="https://www.tiktok.com/foryou",
        recorded_on=START.date(),
        viewport=(400, 800),
        locale="en-US",
        browser="b",
        code_version="1",
    )
    nodes = (PageNode(n=0, tag="body"), PageNode(n=1, p=0, tag="div", text="x", box=(0, 0, 1, 1)))
    scene = Scene(
        address="https://www.tiktok.com/foryou", document=0, nodes=nodes, described={"id": "1"}
    )
    watched = {"Date": "2026-01-01 10:00:00", "Link": "https://www.tiktok.com/@a/video/1234567890"}
    tiktok = json.dumps({"Activity": {"Video Browsing History": {"VideoList": [watched, watched]}}})
    youtube = [
        {"titleUrl": "https://www.youtube.com/watch?v=abcdefghijk", "time": "2026-01-01T10:00:00Z"}
    ]
    named = {"Username": {"value": "anna"}, "Time": {"timestamp": 1767261600}}
    insta = {"impressions_history_videos_watched": [{"string_map_data": named}]}
    return {
        "tar": [_tar({"a/b": b"x" * 20, "c": b""})],
        "restore": [_backup()],
        "restore_names": [f"other=2\n{MANIFEST}={A_MANIFEST}"],
        "zip": [_zip(zipfile.ZIP_DEFLATED), _zip(zipfile.ZIP_LZMA), _zip(zipfile.ZIP_BZIP2)],
        "donation": [tiktok, json.dumps(youtube), json.dumps(insta)],
        "donation_zip": [tiktok],
        "recording": [gzip.decompress(pack_lines([header, scene]))],
        "packed_lines": [gzip.compress(b'{"a": 1}\n[2]\n', mtime=0)],
        "json": ['{"a": [1, 2.5, null, "\\ud800"]}'],
        "picture": [_picture(kind) for kind in ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")],
        "entry_points": ["[feedsway.models]\na = b:c\n\0Name: a\nVersion: 1\n"],
        "approved_reading": [APPROVED],
    }


def _picture(kind: str) -> bytes:
    out = io.BytesIO()
    Image.radial_gradient("L").resize((12, 10)).convert("RGB").save(out, kind)
    return out.getvalue()


def _tar(members: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", bufsize=512) as tar:
        for name, body in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(body)
            tar.addfile(info, io.BytesIO(body))
    return out.getvalue()[: 512 * (2 * len(members) + 2)]


def _backup() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        data = DataFolder(Path(folder) / "data")
        with LedgerWriter(data.ledger_path("r1"), fsync=False) as writer:
            writer.append_all([started("r1"), step(0, answer="no"), finished(1)])
        backup(data, Path(folder) / "b.tar", START, profiles=False)
        return (Path(folder) / "b.tar").read_bytes()


def _zip(method: int) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        archive.writestr("x/a.json", '{"a": 1}')
    return out.getvalue()


def _of_requests() -> Seeds:
    head = " HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n"
    ask = [f"GET {path}{head}\r\n" for path in ("/api/status", "/metrics", f"/frames/{A_HASH}.jpg")]
    pages = (
        "/page/run/a-run",
        "/page/frames?answer=yes",
        "/page/pair?a=a-run&b=b-run",
        "/api/tiles?from=0",
        "/page/step/a-run/0",
        "/pictures/figure/run/a-run.png",
        "/api/labels/next?draw=d&by=anna",
    )
    body = '{"entry": "dawn"}'
    return {
        "daemon_page": [*ask, f"POST /api/pause{head}Content-Length: {len(body)}\r\n\r\n{body}"],
        "explorer_page": [f"GET {path}{head}\r\n" for path in pages],
    }
