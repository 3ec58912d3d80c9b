"""Stores that the tests use: a bucket of a real S3 server, and a shared folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.store.remote.stores import new_bucket, serve_s3


@pytest.fixture(scope="session")
def s3() -> Iterator[str]:
    yield from serve_s3()


@pytest.fixture
def bucket(s3: str) -> str:
    return new_bucket(s3)


@pytest.fixture(params=["s3", "file"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A data folder in each kind of store."""
    if request.param == "file":
        return f"file://{tmp_path}/shared"
    return new_bucket(request.getfixturevalue("s3"))
