"""``make sbom``: what feedsway installs here, as a CycloneDX list and as a file of notices."""

from __future__ import annotations

import json
import re
import sys
import tomllib
from collections.abc import Iterator, Sequence
from hashlib import file_digest
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
FORMAT = "1.6"
_SHORT = 100
"""A licence field beyond this is a text and no name."""
_TEXT = re.compile(r"(licen[cs]e|copying|notice)[^/]*$", re.IGNORECASE)
_CODE = (".py", ".pyc", ".pyi", ".js", ".json", ".so", ".h", ".ts")


def read_name(name: str) -> str:
    """Return a package's name as indexes spell it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def read_needs(package: Distribution) -> list[str]:
    """Return the packages that this one asks for here, its extras left out."""
    from packaging.requirements import Requirement

    wanted = [Requirement(one) for one in package.requires or ()]
    here = [one for one in wanted if one.marker is None or one.marker.evaluate({"extra": ""})]
    extras = [(read_name(one.name), extra) for one in here for extra in one.extras]
    return sorted({*(read_name(one.name) for one in here), *_needs_of_extras(extras)})


def _needs_of_extras(extras: Sequence[tuple[str, str]]) -> Iterator[str]:
    from packaging.requirements import Requirement

    for name, extra in extras:
        for one in map(Requirement, distribution(name).requires or ()):
            if one.marker is None or one.marker.evaluate({"extra": extra}):
                yield read_name(one.name)


def find_packages(top: str = "feedsway") -> dict[str, Distribution]:
    """Return a package and all that it needs here, by name; what is missing is refused."""
    found: dict[str, Distribution] = {}
    waiting = [top]
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        try:
            found[name] = distribution(name)
        except PackageNotFoundError:
            raise SystemExit(f"{name} is not installed. Type: make setup") from None
        waiting += read_needs(found[name])
    return dict(sorted(found.items()))


def _fields(package: Distribution, name: str) -> list[str]:
    return [str(one) for one in package.metadata.get_all(name) or ()]


def name_licence(package: Distribution) -> str:
    """Return what a package says of its licence; nothing where it says none."""
    for said in _fields(package, "License-Expression") + _fields(package, "License"):
        if said and len(said) < _SHORT and "\n" not in said:
            return said
    classes = [one for one in _fields(package, "Classifier") if one.startswith("License ::")]
    return ", ".join(one.rpartition(":: ")[2] for one in classes)


def read_texts(package: Distribution) -> dict[str, str]:
    """Return the licences and notices that lie in a package, by their paths."""
    texts = {}
    for path in package.files or ():
        if _TEXT.search(str(path)) and path.suffix not in _CODE and ".." not in path.parts:
            place = Path(str(package.locate_file(path)))
            if place.is_file():
                texts[str(path)] = place.read_text("utf-8", errors="replace").strip()
    return texts


def _component(name: str, package: Distribution) -> dict[str, Any]:
    reference = f"pkg:pypi/{name}@{package.version}"
    made: dict[str, Any] = {
        "type": "library",
        "bom-ref": reference,
        "name": package.metadata["Name"],
    }
    made |= {"version": package.version, "purl": reference}
    licence = name_licence(package)
    if _fields(package, "License-Expression"):
        made["licenses"] = [{"expression": licence}]
    elif licence:
        made["licenses"] = [{"license": {"name": licence}}]
    return made


def _part(told: dict[str, str]) -> dict[str, Any]:
    place = told.get("within") or told["from"]
    return {
        "type": told["type"],
        "bom-ref": f"part:{read_name(told['name']).replace(' ', '-')}",
        "name": told["name"],
        "description": f"in {place}" if "within" in told else f"not in a package: {place}",
        "licenses": [{"license": {"name": told["licence"]}}],
    }


def read_parts() -> list[dict[str, str]]:
    """Return weights, data and programs that have licences of their own."""
    parts: list[dict[str, str]] = tomllib.loads(
        (ROOT / "deploy" / "parts.toml").read_text("utf-8")
    )["part"]
    return parts


def list_components(packages: dict[str, Distribution]) -> dict[str, Any]:
    """Return the list in CycloneDX's form. It names no time, so that it can be made again."""
    made = {name: _component(name, package) for name, package in packages.items()}
    own = {**made.pop("feedsway"), "type": "application"}
    references = {name: one["bom-ref"] for name, one in made.items()} | {"feedsway": own["bom-ref"]}
    with (ROOT / "deploy" / "locks" / "run.txt").open("rb") as stream:
        lock = file_digest(stream, "sha256").hexdigest()
    system = f"{sys.platform}, Python {sys.version_info.major}.{sys.version_info.minor}"
    return {
        "$schema": f"http://cyclonedx.org/schema/bom-{FORMAT}.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": FORMAT,
        "version": 1,
        "metadata": {
            "component": own,
            "properties": [
                {"name": "feedsway:system", "value": system},
                {"name": "feedsway:sha256-of-deploy/locks/run.txt", "value": lock},
            ],
        },
        "components": [*made.values(), *map(_part, read_parts())],
        "dependencies": [
            {"ref": references[name], "dependsOn": [references[one] for one in read_needs(package)]}
            for name, package in packages.items()
        ],
    }


def write_notices(packages: dict[str, Distribution]) -> str:
    """Return every package's licence texts, and the names of those that carry none."""
    rule = "=" * 80
    pieces, silent = [], []
    for name, package in packages.items():
        texts = read_texts(package)
        title = f"{package.metadata['Name']} {package.version}"
        if not texts:
            silent.append(f"{title}: {name_licence(package) or 'says nothing of its licence'}")
        if name == "feedsway":
            texts = {"LICENSE": (ROOT / "LICENSE").read_text("utf-8").strip()}
        shown = [f"--- {path}\n\n{text}" for path, text in sorted(texts.items())]
        pieces.append("\n\n".join([rule, f"{title}\n{name_licence(package) or 'unknown'}", *shown]))
    parts = [
        f"- {one['name']} ({one.get('within') or one['from']}): {one['licence']}"
        for one in read_parts()
    ]
    media = ROOT / "agent" / "playground" / "data" / "LICENSES.txt"
    pieces.append("\n".join([rule, "Weights, data and programs within or beside these", *parts]))
    pieces.append("\n\n".join([rule, "The playground's media", media.read_text("utf-8").strip()]))
    pieces.append("\n".join([rule, "Packages that carry no licence text", *silent]))
    return "\n\n".join(pieces) + "\n"


def write_lists(folder: Path) -> list[Path]:
    """Write both files into a folder."""
    packages = find_packages()
    folder.mkdir(parents=True, exist_ok=True)
    listed, notices = folder / "sbom.json", folder / "notices.txt"
    text = json.dumps(list_components(packages), indent=2, ensure_ascii=False)
    listed.write_text(text + "\n", "utf-8")
    notices.write_text(write_notices(packages), "utf-8")
    return [listed, notices]


if __name__ == "__main__":
    for written in write_lists(Path(sys.argv[1] if len(sys.argv) > 1 else "build")):
        sys.stdout.write(f"{written}\n")
