"""What a stranger is told of a bundle: the file, its makers, and how its figures compare."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from analysis.report.compact_ledgers import hash_code
from analysis.report.compared_figures import (
    FigureComparison,
    FigureDifference,
    TableComparison,
)
from store.bundle.bundle_manifest import FIGURES
from store.bundle.report_record import Environment
from store.bundle.unpack import OpenedBundle


@dataclass(frozen=True)
class Reproduction:
    """What a stranger is told of a bundle."""

    file: str
    sha256: str
    cited: str | None
    """SHA-256 that a paper cites; ``None`` where none was given."""
    bytes: int
    study: str | None
    runs: tuple[str, ...]
    handles: str
    frames: bool
    held: dict[str, int]
    """Files in it, by kind."""
    made_by: Environment
    derived_by: Environment
    environment_differs: tuple[str, ...]
    figures: int
    close: int
    different: int
    tables: tuple[TableComparison, ...]
    differences: tuple[FigureDifference, ...]
    """The worst ones, worst first."""
    unchecked: tuple[str, ...]

    @property
    def as_cited(self) -> bool:
        return self.cited in (None, self.sha256)

    @property
    def holds(self) -> bool:
        """Whether there are figures, every one is equal, and the file is the one that is cited."""
        return self.as_cited and self.figures > 0 and not self.different

    @classmethod
    def of(
        cls, file: str, opened: OpenedBundle, cited: str | None, compared: FigureComparison
    ) -> Reproduction:
        manifest, here = opened.manifest, Environment.of(hash_code())
        kinds = Counter(_kind(member.place) for member in manifest.files)
        return cls(
            file=file,
            sha256=opened.sha256,
            cited=cited,
            bytes=opened.bytes,
            study=manifest.study,
            runs=manifest.runs,
            handles=manifest.handles,
            frames=manifest.frames,
            held=dict(kinds),
            made_by=manifest.environment,
            derived_by=here,
            environment_differs=tuple(manifest.environment.differences(here)),
            figures=compared.figures,
            close=compared.close,
            different=compared.different,
            tables=tuple(compared.tables),
            differences=tuple(compared.differences),
            unchecked=tuple(compared.unchecked),
        )


_KINDS = {
    "/ledger.jsonl": "ledger",
    "/judgements/": "judgement file",
    "/labels/": "label file",
    "/studies/": "study file",
    "/canary/": "canary log",
    "/frames/": "frame",
    FIGURES: "table",
}


def _kind(place: str) -> str:
    return next(kind for part, kind in _KINDS.items() if part in place)
