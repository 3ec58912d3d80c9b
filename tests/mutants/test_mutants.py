from __future__ import annotations

import ast
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from time import sleep

import psutil
import pytest
from mutmut.configuration import reset_config

from tests.mutants import mutant as mutants
from tests.mutants.__main__ import main, report
from tests.mutants.checkout import checkout, run_tests
from tests.mutants.coverage_record import record_coverage
from tests.mutants.mutant import Mutant, PatchMissing, draw_sample, named_mutants

ROOT = Path(__file__).parents[2]
CODE = "def add(a, b):\n    return a + b\n\n\ndef scale(a):\n    return a * 2\n"
TEST = "from tiny.sums import add\n\n\ndef test_add():\n    assert add(1, 2) == 3\n"
NAMED = '[[mutant]]\nname = "one less"\nfile = "tiny/sums.py"\nold = "a + b"\nnew = "a + b - 1"\n'
SETTINGS = '[tool.mutmut]\nsource_paths = ["tiny"]\nonly_mutate = ["tiny/*"]\n'
FILES = {
    "pyproject.toml": SETTINGS,
    "tiny/__init__.py": "",
    "tiny/sums.py": CODE,
    "tests/__init__.py": "",
    "tests/tiny/__init__.py": "",
    "tests/tiny/test_sums.py": TEST,
    "tests/mutants/named.toml": NAMED,
    ".gitignore": "build/\n__pycache__/\n",
}


def git(root: Path, *words: str) -> str:
    command = ["git", "-c", "user.name=x", "-c", "user.email=x@example.org", *words]
    return subprocess.run(command, cwd=root, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A package of two functions, of which one has a test, as somebody has committed it."""
    root = tmp_path / "tiny"
    for name, text in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    git(root, "init", "--quiet")
    git(root, "add", ".")
    git(root, "commit", "--quiet", "--message", "all")
    monkeypatch.chdir(root)
    reset_config()
    yield root
    reset_config()


def outcomes(root: Path) -> dict[tuple[str, int], str]:
    lines = (root / "build/mutants/results.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    return {(row["name"], row["line"]): row["outcome"] for row in rows}


def test_a_sample_is_drawn_by_its_seed(tiny: Path) -> None:
    many = "".join(f"def f{number}(a):\n    return a + {number}\n" for number in range(40))
    (tiny / "tiny" / "many.py").write_text(many)
    sample = list(draw_sample(tiny, 20, seed=1))
    assert sample == list(draw_sample(tiny, 20, seed=1))
    assert sample[:5] == list(draw_sample(tiny, 5, seed=1))
    assert sample != list(draw_sample(tiny, 20, seed=2))
    assert len({(one.path, one.line) for one in sample}) == 20
    assert len(list(draw_sample(tiny, 1000, seed=1))) == 42  # each line once
    for one in sample:
        ast.parse(one.after)
        assert one.after != one.before
        assert one.function is not None
        assert one.function[0] <= one.line <= one.function[1]


def test_a_mutant_is_applied_to_a_checkout_only(tiny: Path) -> None:
    one = named_mutants(tiny)[0]
    with checkout(tiny, "HEAD") as tree:
        one.apply(tree)
        assert (tree / one.path).read_text() == CODE.replace("a + b", "a + b - 1")
        assert (tiny / one.path).read_text() == CODE
    assert not tree.exists()
    assert git(tiny, "status", "--porcelain") == ""


def test_killed_and_survived_are_told_apart_and_a_second_call_goes_on(
    tiny: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--near"]) == 1  # half of the sample survives
    assert outcomes(tiny) == {("one less", 2): "killed", ("", 2): "killed", ("", 6): "survived"}
    shown = capsys.readouterr()
    assert "survived: tiny/sums.py:6" in shown.out
    assert "| all | 2 | 1 | 0 | 1 | 0 | 0 | 50.0 % (1.3 to 98.7) |" in shown.out
    assert "3/3" in shown.err
    assert git(tiny, "status", "--porcelain") == ""

    results = tiny / "build/mutants/results.jsonl"
    whole = results.read_bytes()
    main(["--near"])
    assert results.read_bytes() == whole
    cut = whole.splitlines(keepends=True)
    results.write_bytes(b"".join(cut[:2]) + cut[2][:20])  # killed in the middle of a line
    capsys.readouterr()
    main(["--near"])
    assert "1/1" in capsys.readouterr().err
    assert len(outcomes(tiny)) == 3

    results.write_bytes(whole)
    git(tiny, "commit", "--quiet", "--allow-empty", "--message", "a new test")
    main(["--near", "--again"])
    assert "1/1" in capsys.readouterr().err  # what was killed stays so


def _ended(pid: int) -> bool:
    """Whether a process ends within seconds; its new parent may not take note of that."""
    for _ in range(50):
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        sleep(0.1)
    return False


@pytest.mark.drill
def test_what_hangs_is_ended_with_all_that_it_started(tiny: Path) -> None:
    hangs = (
        "import subprocess, sys, time\nfrom pathlib import Path\n\n\ndef test_it():\n"
        "    words = [sys.executable, '-c', 'import time; time.sleep(600)']\n"
        "    child = subprocess.Popen(words, start_new_session=True)\n"
        "    Path('pid').write_text(str(child.pid))\n    time.sleep(600)\n"
    )
    (tiny / "tests" / "test_hang.py").write_text(hangs)
    verdict = run_tests(tiny, ["tests/test_hang.py"], limit_s=15)
    assert verdict.outcome == "timed out"
    assert _ended(int((tiny / "pid").read_text()))


def test_a_test_of_its_own_limit_counts_as_timed_out_and_a_broken_pytest_as_unclear(
    tiny: Path,
) -> None:
    slow = "import time, pytest\n\n@pytest.mark.timeout(0.5)\ndef test_it():\n    time.sleep(60)\n"
    (tiny / "tests" / "test_slow.py").write_text(slow)
    assert run_tests(tiny, ["tests/test_slow.py"], limit_s=60).outcome == "timed out"
    assert run_tests(tiny, ["tests/none.py"], limit_s=60).outcome == "unclear"
    (tiny / "tests" / "conftest.py").write_text("import tiny.nothing\n")
    assert run_tests(tiny, ["tests/tiny/test_sums.py"], limit_s=60).outcome == "killed"


@pytest.mark.drill
def test_the_record_tells_which_tests_run_a_function(tiny: Path) -> None:
    by_child = (
        "import subprocess, sys\n\n\ndef test_it():\n"
        "    words = 'import tiny.sums as s; s.add(1, 1)'\n"
        "    subprocess.run([sys.executable, '-c', words], check=True)\n"
        "\n\ndef test_fails():\n    raise ValueError\n"
    )
    (tiny / "tests" / "test_child.py").write_text(by_child)
    git(tiny, "add", ".")
    git(tiny, "commit", "--quiet", "--message", "more")
    with checkout(tiny, "HEAD") as tree:
        record = record_coverage(tree, "HEAD")
    both = {"tests/test_child.py", "tests/tiny/test_sums.py"}
    assert set(record.seconds) == both
    assert record.failed == ["tests/test_child.py::test_fails"]
    add, scale = (
        Mutant("tiny/sums.py", CODE, CODE.replace(line, f"{line} - 1"), function=span)
        for line, span in (("a + b", (1, 2)), ("a * 2", (5, 6)))
    )
    assert set(record.tests_of(add)) == both
    assert record.tests_of(scale) == []
    new = "tests/test_new.py"
    assert set(record.tests_of(scale, frozenset([new, "tiny/sums.py"]))) == {*both, new}


def test_a_statement_is_what_a_test_has_to_run() -> None:
    code = (
        "def f(\n    a=1,\n):\n    if a > 1:\n        x = g(\n            a,\n            2,\n"
        "        )\n        return x\n    for _ in range(3):\n        pass\n    return 0\n"
    )
    spans = {2: (1, 12), 4: (4, 4), 5: (5, 8), 7: (5, 8), 9: (9, 9), 10: (10, 10), 12: (12, 12)}
    lines = code.splitlines(keepends=True)
    for line, span in spans.items():
        after = "".join([*lines[: line - 1], lines[line - 1].rstrip() + "  # \n", *lines[line:]])
        assert Mutant("f.py", code, after, function=(1, 12)).statement == span
    assert Mutant("f.py", "x = 1\n", "x = 2\n").statement is None


def test_a_named_mutant_whose_text_is_gone_is_an_error(tiny: Path) -> None:
    (tiny / "tiny" / "sums.py").write_text("def add(a, b):\n    return sum([a, b])\n")
    with pytest.raises(PatchMissing, match=r"tiny/sums\.py holds the text .*'one less' 0 times"):
        named_mutants(tiny)


def test_what_was_judged_equivalent_is_counted_apart(capsys: pytest.CaptureFixture[str]) -> None:
    sample = [Mutant("a/b/c.py", "x = 1\n", f"x = {number}\n") for number in (2, 3, 4, 5)]
    rows = {
        one.key: {"outcome": outcome}
        for one, outcome in zip(sample, ["killed", "timed out", "survived"], strict=False)
    }
    assert report(sample[:2], rows, {}) == 0
    assert report(sample, rows, {sample[3].change: "why"}) == 1
    assert "| a/b | 4 | 1 | 1 | 1 | 0 | 1 | 66.7 % (9.4 to 99.2) |" in capsys.readouterr().out
    assert sample[3].change == ("a/b/c.py", "x = 1", "x = 5")
    assert (sample[3].line, sample[3].diff) == (1, ["@@ -1 +1 @@", "-x = 1", "+x = 5"])


def test_the_lists_fit_the_code() -> None:
    assert len(named_mutants(ROOT)) >= 5
    for one in named_mutants(ROOT):
        ast.parse(one.after)
    for path, old, _ in mutants.equivalent_changes(ROOT):
        lines = [line.strip() for line in (ROOT / path).read_text("utf-8").splitlines()]
        assert set(old.splitlines()) <= set(lines), path
