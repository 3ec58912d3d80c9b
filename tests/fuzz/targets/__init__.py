"""Every door, by its name."""

from __future__ import annotations

from tests.fuzz.guard import Target
from tests.fuzz.targets import (
    bundles,
    containers,
    declared,
    line_files,
    replies,
    requests,
    sites,
    tables,
)

_ALL = (sites, replies, tables, line_files, declared, containers, bundles, requests)
TARGETS: dict[str, Target] = {one.name: one for module in _ALL for one in module.TARGETS}
