"""A study to which a persona was added: cells between draws are not compared, and not shown."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

from click.testing import CliRunner

from analysis.cli.main import main
from store.runs.data_folder import DataFolder
from store.runs.ledger import read
from store.runs.rejudgements import judgement_files
from tests.store.sealed_lines import unseal_lines, write_anew


def test_a_report_of_two_draws_leaves_their_common_cells_out(
    example: DataFolder, tmp_path: Path
) -> None:
    shutil.copytree(example.root, tmp_path / "data")
    data = DataFolder(tmp_path / "data")
    judged = 0
    for path in data.ledgers():
        added = read(path).started.persona.id == "pia"
        first, *rest = unseal_lines(path)
        record = json.loads(first)
        record["config"]["block"] = 1 + added
        write_anew(path, [json.dumps(record).encode(), *rest])
        for file in judgement_files(path.parent):
            lines = unseal_lines(file)
            kept = [line for line in lines if json.loads(line).get("persona", "") in ("", "pia")]
            others = [line for line in lines if json.loads(line).get("persona") != "pia"]
            write_anew(file, kept if added else others)
            judged += 1
    assert judged > 5
    out = tmp_path / "report"
    words = ["report", "example", "--data", str(data.root), "--out", str(out)]
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 0, done.output
    text = "".join(path.read_text(encoding="utf-8") for path in out.rglob("*.html"))
    assert "The persona matrix" in text
    assert "personas were added later" in text
    assert re.search(r">\s*[+-]?nan\b|:nan%", text) is None
    table = text[text.index('<table class="matrix">') :]
    rows = table[: table.index("</table>")].split("<tr>")[2:]
    told = [len(re.findall(r"(?:^|>)\s*\d+\s*<", row)) for row in rows]
    assert told == [5] * 5 + [1], rows[0]
