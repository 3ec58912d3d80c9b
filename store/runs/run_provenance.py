"""What produced a run, as its ledger names it: code, libraries, machine, plug-ins."""

from __future__ import annotations

from typing import Literal, Self

from store.jsonl.base_record import Record
from store.plug_ins.entry_points import PlugIn
from store.untrusted.clean_fields import ForeignText


class PlugInMark(Record):
    """A plug-in that was used, and the package that it came in."""

    kind: Literal["model", "encoder", "strategy", "platform", "estimator"]
    name: ForeignText
    package: ForeignText
    version: ForeignText
    code: str
    """Hash of its package's files: 16 digits."""

    @classmethod
    def of(cls, plug_in: PlugIn) -> Self:
        """Return the mark of a plug-in."""
        return cls.model_validate(
            {
                "kind": plug_in.kind,
                "name": plug_in.name,
                "package": plug_in.package,
                "version": plug_in.version,
                "code": plug_in.code,
            }
        )

    def __str__(self) -> str:
        return f"{self.kind} {self.name} of {self.package} {self.version}"


class Provenance(Record):
    """What produced the run: code, libraries, machine."""

    code_version: str
    code_dirty: bool | None
    python: str
    system: str
    libraries: dict[str, str]
    plug_ins: tuple[PlugInMark, ...] = ()
    """Those that the run used, of other people's packages."""
