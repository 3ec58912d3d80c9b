"""How a model's own server is started, and where its key is kept."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from agent.errors import BadConfig, MissingExtra
from agent.models.local_server import lease_for
from agent.models.local_server.runtime_folder import ServerFolder
from agent.models.local_server.vllm import vllm_recipe


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    program = tmp_path / "vllm"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("VLLM_BASE_URL", raising=False)
    monkeypatch.delenv("VLLM_DEFAULT_SERVER_ARGS", raising=False)
    return program


def test_settings_are_handed_on_but_for_where_it_is_open(
    command: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(
        "VLLM_DEFAULT_SERVER_ARGS",
        '{"host": "0.0.0.0", "port": 80, "api-key": "public", "max_model_len": 4096,'
        ' "devices": "0,1", "limit_mm_per_prompt": {"image": 4}, "enforce_eager": true,'
        ' "timeout": 90}',
    )
    recipe = vllm_recipe("vllm/a/b")
    assert recipe.command == (
        str(command),
        "serve",
        "a/b",
        "--max-model-len",
        "4096",
        "--limit-mm-per-prompt",
        '{"image": 4}',
        "--enforce-eager",
        "--tensor-parallel-size",
        "2",
    )
    assert recipe.environment == (("CUDA_VISIBLE_DEVICES", "0,1"),)
    assert recipe.limit_s == 90


def test_another_setting_is_another_server(command: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = vllm_recipe("vllm/a/b")
    assert vllm_recipe("vllm/a/b").identity == plain.identity
    assert vllm_recipe("vllm/a/c").identity != plain.identity
    monkeypatch.setenv("VLLM_DEFAULT_SERVER_ARGS", '{"max_model_len": 4096}')
    assert vllm_recipe("vllm/a/b").identity != plain.identity


@pytest.mark.parametrize(
    "told", ['{"device": 1}', '{"configure_logging": false}', '{"timeout": 9}']
)
def test_where_a_server_runs_and_what_it_logs_is_no_part_of_its_model(
    told: str, command: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = vllm_recipe("vllm/a/b").settings
    monkeypatch.setenv("VLLM_DEFAULT_SERVER_ARGS", told)
    assert vllm_recipe("vllm/a/b").settings == plain


def test_weights_of_this_machine_are_told_by_their_content(
    command: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = tmp_path / "trained"
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(b"before")
    before = vllm_recipe(f"vllm/{folder}")
    assert vllm_recipe(f"vllm/{folder}") == before
    (folder / "model.safetensors").write_bytes(b"after!")
    after = vllm_recipe(f"vllm/{folder}")
    assert after.settings != before.settings
    assert after.identity != before.identity, "the server that holds the old weights is not used"
    (folder / "adapter_config.json").write_text('{"r": 8}', "utf-8")
    adapted = vllm_recipe(f"vllm/a/b:{folder}").settings
    (folder / "adapter_model.safetensors").write_bytes(b"trained")
    assert vllm_recipe(f"vllm/a/b:{folder}").settings != adapted
    assert not vllm_recipe("vllm/a/b").weights


def test_a_server_with_an_address_is_not_started(
    command: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VLLM_BASE_URL", "http://127.0.0.1:9/v1")
    assert lease_for("vllm/a/b") is None
    assert lease_for("openai/gpt-4o") is None


@pytest.mark.parametrize("told", ["{", "[]", "3"])
def test_bad_settings_say_what_to_type(
    told: str, command: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VLLM_DEFAULT_SERVER_ARGS", told)
    with pytest.raises(BadConfig, match=r"Type: export VLLM_DEFAULT_SERVER_ARGS='{}'$"):
        vllm_recipe("vllm/a/b")


def test_without_the_program_it_says_what_to_type(
    command: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command.unlink()
    with pytest.raises(MissingExtra, match=r"Type: pip install vllm$"):
        vllm_recipe("vllm/a/b")


def test_sglang_is_not_opened_to_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SGLANG_BASE_URL", raising=False)
    with pytest.raises(BadConfig, match=r"Then type: export SGLANG_BASE_URL="):
        lease_for("sglang/a/b")


def test_keys_are_not_kept_where_others_may_write(
    command: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = tmp_path / "runtime"
    runtime.mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    folder = ServerFolder.for_recipe(vllm_recipe("vllm/a/b"))
    home = runtime / "feedsway"
    assert folder.path.is_relative_to(home)
    assert home.stat().st_mode & 0o077 == 0
    home.chmod(0o777)
    with pytest.raises(BadConfig, match=r"Type: export XDG_RUNTIME_DIR=FOLDER$"):
        ServerFolder.for_recipe(vllm_recipe("vllm/a/b"))


def test_a_umask_that_lets_a_group_write_opens_no_folder_to_it(
    command: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = tmp_path / "runtime"
    runtime.mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    before = os.umask(0o002)
    try:
        folder = ServerFolder.for_recipe(vllm_recipe("vllm/a/b"))
    finally:
        os.umask(before)
    for each in (folder.path, *folder.path.parents[:3]):
        assert each.stat().st_mode & 0o077 == 0
