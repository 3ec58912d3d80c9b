"""What can go wrong with bundles, in words that end in what to type."""

from __future__ import annotations

from pathlib import Path

from store.errors import ExportRefused


class BadBundle(ExportRefused):
    """A file that is no whole audit bundle, or a study that none can be made of now."""

    @classmethod
    def report(cls, name: str, problem: str) -> BadBundle:
        """For a report that is not there, or not of what is kept."""
        return cls(f"{problem}. Type: python -m analysis report {name}")

    @classmethod
    def file(cls, place: str, problem: str) -> BadBundle:
        """For a kept file that does not go into one."""
        return cls(f"{place} cannot be bundled: {problem}. Type: python -m store verify")

    @classmethod
    def damage(cls, path: Path, problem: str) -> BadBundle:
        """For a file that is none, or not as it was made."""
        return cls(f"{path} {problem}. Get it anew, then type: python -m analysis reproduce {path}")

    @classmethod
    def leak(cls, place: str, what: str, *, of_people: bool) -> BadBundle:
        """For what names somebody (``of_people``), or a machine, or holds a secret, after all."""
        told = f"The bundle would tell {what} in {place}: nothing of it is left."
        if of_people:
            keep = "python -m store bundle STUDY --keep-handles"
            return cls(f"{told} If names may be told, type: {keep}")
        return cls(f"{told} Take it out, then type: python -m analysis report STUDY")
