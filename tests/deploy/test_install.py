"""Nothing is installed whose hash is not in the lock, and pip says so."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from deploy.lock import FILES, LOCKS, add_hashes, hash_wheels, read_locks, read_name, split_entries

ROOT = Path(__file__).parents[2]


class Shop:
    """A checkout's install.py with locks of its own, and a folder of wheels as the only index."""

    def __init__(self, place: Path) -> None:
        self.place, self.wheels, self.site = place, place / "wheels", place / "site"
        (place / "deploy" / "locks").mkdir(parents=True)
        self.wheels.mkdir()
        shutil.copyfile(ROOT / "deploy" / "install.py", place / "deploy" / "install.py")
        for name in FILES:
            (place / "deploy" / "locks" / f"{name}.txt").touch()

    def make_wheel(self, name: str, version: str, needs: str = "") -> str:
        """Make a wheel of one module, and return its hash."""
        path = self.wheels / f"{name}-{version}-py3-none-any.whl"
        about = f"{name}-{version}.dist-info"
        needed = f"Requires-Dist: {needs}\n" if needs else ""
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(f"{name}.py", f"version = {version!r}\n")
            archive.writestr(
                f"{about}/METADATA",
                f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needed}",
            )
            archive.writestr(
                f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
            )
            archive.writestr(f"{about}/RECORD", "")
        return hashlib.sha256(path.read_bytes()).hexdigest()

    def lock(self, file: str, pin: str, *hashes: str) -> None:
        words = " ".join(f"--hash=sha256:{one}" for one in hashes)
        (self.place / "deploy" / "locks" / f"{file}.txt").write_text(
            f"{pin} {words}\n", encoding="utf-8"
        )

    def install(self) -> subprocess.CompletedProcess[str]:
        alone = {name: text for name, text in os.environ.items() if not name.startswith("PIP_")}
        alone |= {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(self.wheels)}
        return subprocess.run(
            [sys.executable, "deploy/install.py", "run", "--target", str(self.site)],
            cwd=self.place,
            env=alone | {"PIP_CONFIG_FILE": os.devnull, "PYTHONPATH": str(self.site)},
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


def test_a_file_with_its_hash_is_installed(shop: Shop) -> None:
    shop.lock("run", "small_thing==1.0", "0" * 64, shop.make_wheel("small_thing", "1.0"))
    done = shop.install()
    assert done.returncode == 0, done.stderr
    assert (shop.site / "small_thing.py").exists()


def test_a_changed_file_stops_it_with_pip_s_words(shop: Shop) -> None:
    shop.lock("run", "small_thing==1.0", shop.make_wheel("small_thing", "1.0"))
    with zipfile.ZipFile(next(shop.wheels.iterdir()), "a") as archive:
        archive.writestr("more.py", "raise SystemExit")
    done = shop.install()
    assert done.returncode != 0
    assert "THESE PACKAGES DO NOT MATCH THE HASHES" in done.stderr
    assert "docs/supply-chain.md" in done.stderr
    assert not (shop.site / "small_thing.py").exists()


def test_a_package_without_a_hash_stops_it(shop: Shop) -> None:
    shop.make_wheel("small_thing", "1.0")
    shop.lock("run", "small_thing==1.0")
    done = shop.install()
    assert done.returncode != 0
    assert "Hashes are required" in done.stderr


@pytest.mark.parametrize("known", [True, False])
def test_the_preferred_build_of_torch_is_compared_too(shop: Shop, known: bool) -> None:
    """A build for CPUs has another version and other hashes than the index's."""
    plain, cpu = shop.make_wheel("torch", "9.1"), shop.make_wheel("torch", "9.1+cpu")
    shop.make_wheel("triton", "3.0")  # what the other build would ask for
    shop.lock("torch", "torch==9.1", plain, *([cpu] if known else []))
    done = shop.install()
    assert (done.returncode == 0) is known, done.stderr
    assert ("DO NOT MATCH" in done.stderr) is not known
    if known:
        assert "9.1+cpu" in (shop.site / "torch.py").read_text("utf-8")


@pytest.mark.parametrize("needs", ["", "nvidia-cublas==1.0"])
def test_cuda_is_installed_for_a_torch_that_asks_for_it_alone(shop: Shop, needs: str) -> None:
    shop.lock("torch", "torch==9.1", shop.make_wheel("torch", "9.1", needs))
    shop.lock("cuda", "nvidia_cublas==1.0", shop.make_wheel("nvidia_cublas", "1.0"))
    done = shop.install()
    assert done.returncode == 0, done.stderr
    assert (shop.site / "nvidia_cublas.py").exists() is bool(needs)


def test_the_locks_hold_all_that_the_project_asks_for() -> None:
    told = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    asked = [one for name in told["project"]["optional-dependencies"].values() for one in name]
    asked += told["project"]["dependencies"] + told["build-system"]["requires"]
    locked = {read_name(pin) for pin in read_locks()}
    names = {read_name(re.split(r"[^\w.-]", one)[0]) for one in asked} - {"feedsway"}
    assert len(names) > 50
    assert names - locked == set()
    run = {read_name(re.split(r"[^\w.-]", one)[0]) for one in told["project"]["dependencies"]} - {
        "torch"
    }
    assert run <= set(map(read_name, split_entries((LOCKS / "run.txt").read_text("utf-8"))))


def test_every_entry_has_a_version_and_hashes_and_names_no_place() -> None:
    entries = read_locks()
    assert len(entries) > 250
    for pin, entry in entries.items():
        assert re.fullmatch(r"[\w.-]+(\[[\w,-]+\])?==[\w.!+]+( ; .+)?", pin)
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", entry), pin
    for name in FILES:
        text = (LOCKS / f"{name}.txt").read_text("utf-8")
        assert not re.search(r"://|--(extra-)?index|--find-links|@ ", text)


def test_a_build_of_a_locked_version_is_added_and_no_other(tmp_path: Path) -> None:
    entries = {"torch==9.1": "torch==9.1 \\\n    --hash=sha256:" + "1" * 64}
    wheel = tmp_path / "torch-9.1+cpu-cp311-cp311-linux_x86_64.whl"
    wheel.write_bytes(b"a wheel")
    both = add_hashes(entries, hash_wheels([wheel], entries))["torch==9.1"]
    assert both.count("--hash=") == 2
    assert hashlib.sha256(b"a wheel").hexdigest() in both
    with pytest.raises(SystemExit, match="no build of a locked version"):
        hash_wheels([wheel.rename(tmp_path / "torch-9.2-cp311-cp311-linux_x86_64.whl")], entries)
