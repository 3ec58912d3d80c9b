"""How the study was made, in its actual settings, and what produced it.

Settings come from the study file and from the first lines of the ledgers, never from defaults that
might have changed since.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from importlib import metadata
from typing import Any

from markupsafe import Markup

from analysis.data.exposures import EXCLUDED
from analysis.report.declared_study import PrimaryTest
from analysis.report.group_measures import MeasuredGroup, Measures
from analysis.report.number_sources import Name, NumberSource, TracedNumber
from analysis.report.report_inputs import Material
from analysis.report.site_changes import tell_changes
from store.runs.ledger_lines import RunStarted
from store.runs.recorded_model_names import REPLAY
from store.terminal.printing import count_of

_LIBRARIES = ("numpy", "scipy", "pydantic", "pillow", "Jinja2", "pyarrow")


@dataclass(frozen=True)
class Fact:
    """One setting: what it is called, and its value."""

    name: str
    value: Name | TracedNumber


@dataclass(frozen=True)
class Methods:
    """What the methods paragraph is written from; ``None`` where it is not recorded or varies."""

    title: Name
    runs: TracedNumber
    personas: TracedNumber
    replicates: TracedNumber
    arms: tuple[str, ...]
    replayed: bool
    before: TracedNumber | None
    adapt: TracedNumber | None
    repeats_excluded: bool
    after: TracedNumber | None
    baseline: str
    stay: TracedNumber | None
    swipe: TracedNumber | None
    passive: TracedNumber | None
    liked: bool | None
    feed: Name | None
    gain: TracedNumber | None
    speed: TracedNumber | None
    seed: TracedNumber | None
    test: PrimaryTest
    alpha: TracedNumber
    first_day: Markup | None
    last_day: Markup | None
    imported: Name | None
    facts: tuple[Fact, ...]
    libraries: tuple[Fact, ...]
    command: Name
    explorer: Name | None
    """What opens the explorer on what this report is of; ``None`` where no run is kept."""
    cautions: tuple[str, ...]


def methods(measures: Measures, seed: int) -> Methods:
    """Gather the settings; ``seed`` is that of the analysis, for the command that repeats it."""
    material = measures.material
    views, study = material.views, material.study
    told = _Recorded(material)
    given = NumberSource("the study file", "study.toml") if study else told.source
    runs = NumberSource("analysis.data.exposures.run_info", "every run of this report")
    windows = _same(run.windows for run in views.runs)
    days = sorted(first.at for first in material.started)
    more = f" --seed {seed}" if seed else ""
    return Methods(
        title=Name(material.title),
        runs=runs.count(len(views.runs), "runs"),
        personas=runs.count(len({run.persona for run in views.runs}), "personas"),
        replicates=runs.count(len({run.replicate for run in views.runs}), "replicates"),
        arms=tuple(dict.fromkeys(arm for group in measures.groups for arm in group.arms)),
        replayed=_replayed(material),
        before=told.source.count(windows.before, "videos before") if windows else None,
        adapt=told.source.count(windows.adapt, "videos between") if windows else None,
        repeats_excluded=bool((views.excluded == EXCLUDED.index("repeat")).any()),
        after=told.source.count(windows.after, "videos after") if windows else None,
        baseline=windows.baseline if windows else "",
        stay=told.number("dwell", "stay_s"),
        swipe=told.number("dwell", "swipe_s"),
        passive=told.number("dwell", "passive_s"),
        liked=told.same(lambda first: first.config.get("like")),
        feed=told.named(lambda first: (first.config.get("site") or {}).get("feed")),
        gain=told.number("site", "gain"),
        speed=told.number("site", "speed"),
        seed=given.setting(study.data["seed"], "seed of the draw of accounts")
        if study and "seed" in study.data
        else None,
        test=material.test,
        alpha=given.setting(material.test.alpha, "level of the primary test"),
        first_day=_day(days[0]) if days else None,
        last_day=_day(days[-1]) if days else None,
        imported=Name(material.origin) if material.origin else None,
        facts=_facts(material, told),
        libraries=_libraries(),
        command=Name(material.command + more),
        explorer=_tell_explorer(material),
        cautions=_cautions(measures, told),
    )


def _tell_explorer(material: Material) -> Name | None:
    if not material.started:
        return None
    alone = material.study is not None or len(material.started) == 1
    return Name("python -m agent open" + (f" {material.title}" if alone else ""))


class _Recorded:
    """Settings that the first lines of the ledgers agree on."""

    def __init__(self, material: Material) -> None:
        self.started = material.started
        count = len(material.started)
        self.source = (
            NumberSource("as recorded", f"the first lines of {count_of(count, 'ledger')}")
            if count
            else NumberSource("as given on import", material.title)
        )

    def same(self, of: Callable[[RunStarted], Any]) -> Any:
        return _same(of(first) for first in self.started)

    def number(self, table: str, key: str) -> TracedNumber | None:
        value = self.same(lambda first: (first.config.get(table) or {}).get(key))
        return None if value is None else self.source.setting(value, f"{table}.{key}")

    def named(self, of: Callable[[RunStarted], Any]) -> Name | None:
        value = self.same(of)
        return None if value is None else Name(str(value))

    def several(self, of: Callable[[RunStarted], str]) -> Name:
        return Name(", ".join(sorted({of(first) for first in self.started})))


def _same(values: Iterable[Any]) -> Any:
    kept = list(values)
    return kept[0] if kept and all(value == kept[0] for value in kept) else None


def _facts(material: Material, told: _Recorded) -> tuple[Fact, ...]:
    if not material.started:
        return ()
    prompts = sorted(
        {
            f"{name} {digest[:12]}"
            for first in material.started
            for name, digest in first.prompts.items()
        }
    )
    libraries = sorted(
        {
            f"{name} {version}"
            for first in material.started
            for name, version in first.provenance.libraries.items()
        }
    )
    return (
        Fact("code of the runs", told.several(lambda first: first.provenance.code_version)),
        Fact("model", told.several(lambda first: first.model)),
        Fact("strategy", told.several(lambda first: first.strategy)),
        Fact("prompts, by hash", Name(", ".join(prompts) or "none")),
        Fact("encoder", told.several(lambda first: first.encoder or "none")),
        Fact("driver", told.several(lambda first: first.driver)),
        Fact("browser", told.several(lambda first: first.browser)),
        Fact("viewport", told.several(lambda first: "×".join(map(str, first.viewport)))),
        Fact("locale", told.several(lambda first: first.locale)),
        Fact("Python", told.several(lambda first: first.provenance.python)),
        Fact("system", told.several(lambda first: first.provenance.system)),
        Fact("libraries", Name(", ".join(libraries) or "not recorded")),
        *_plug_ins(material),
    )


def _plug_ins(material: Material) -> tuple[Fact, ...]:
    """The plug-ins of the runs, and of those who judged again; nothing where there is none."""
    sittings = [sitting for one in material.judgements for file in one for sitting in file.sittings]
    marks = [mark for first in material.started for mark in first.provenance.plug_ins]
    marks += [mark for sitting in sittings for mark in sitting.plug_ins]
    used = sorted({f"{mark} (code {mark.code})" for mark in marks})
    return (Fact("plug-ins", Name(", ".join(used))),) if used else ()


def _libraries() -> tuple[Fact, ...]:
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in _LIBRARIES)
    return (
        Fact("feedsway", Name(metadata.version("feedsway"))),
        Fact("Python", Name(platform.python_version())),
        Fact("libraries", Name(versions)),
    )


def _day(at: datetime) -> Markup:
    return Markup('<time datetime="{}">{}</time>').format(at.date(), f"{at.day} {at:%B %Y}")


def _replayed(material: Material) -> bool:
    return all(run.platform == REPLAY for run in material.views.runs)


def _cautions(measures: Measures, told: _Recorded) -> tuple[str, ...]:
    material, groups = measures.material, measures.groups
    runs = material.views.runs
    said = [*_about_the_test(measures), *_no_control(measures)]
    if any(run.windows.baseline == "active" and run.platform != REPLAY for run in runs):
        said.append(
            "The persona already reacted while the before window was measured, so part of the "
            "sway is in it, and the difference understates the whole."
        )
    if len(runs) == 1 and not _replayed(material):
        said.append(
            "One run is one account on one day. Its interval says how steady this feed was from "
            "batch to batch, and allows for how far real feeds wander by themselves. It does not "
            "say how other accounts would fare."
        )
    if any(group.result.batches_assumed for group in groups):
        said.append("The feed did not tell its batches; blocks of a dozen videos stand in.")
    if any(group.never for group in groups):
        said.append("Not every run that was drawn has begun.")
    if any(run.status != "complete" for run in runs):
        said.append(
            "Not every run is complete. What the incomplete ones hold is included, as far as it "
            "can be compared."
        )
    said += _different_code(material, told)
    said += tell_changes(material.site_changes)
    adapters = {str(first.config.get("adapter")) for first in material.started}
    if len(adapters) > 1 and len({run.platform for run in runs}) == 1:
        said.append("The site was read by different adapter files in different runs.")
    if material.differing:
        said.append(
            "The site itself has counted otherwise than the ledger of some run. To see where, "
            "type: python -m store verify"
        )
    if any(first.provenance.code_dirty for first in material.started):
        said.append("Some runs were made by code with changes that are in no version.")
    return tuple(said)


def _different_code(material: Material, told: _Recorded) -> list[str]:
    said = []
    if material.started and told.same(lambda first: first.provenance.code_version) is None:
        said.append("The runs were made by different versions of the code.")
    marks = [
        [mark for mark in first.provenance.plug_ins if mark.kind != "model"]
        for first in material.started
    ]
    if marks and _same(marks) is None:
        said.append("The runs were made with different plug-ins, or versions of them.")
    return said


def _about_the_test(measures: Measures) -> list[str]:
    said = []
    if not measures.material.test.declared:
        said.append(
            "No study file says which test is primary, so the headline was not declared before "
            "the data were seen."
        )
    if any(_repeats_personas(group) for group in measures.groups):
        said.append(
            "Personas were watched as more than once. The interval speaks of these personas; for "
            "others it is too narrow, since runs of one persona are alike."
        )
    return said


def _repeats_personas(group: MeasuredGroup) -> bool:
    """Whether an interval over runs or pairs takes several of one persona for independent."""
    treated = [run.persona for run in group.runs if run.arm == "treatment"]
    over_runs = group.primary.design in ("controlled", "paired")
    return over_runs and len(set(treated)) < len(treated)


def _no_control(measures: Measures) -> list[str]:
    """What is not known for want of a control arm; nothing where there is one."""
    alone = [group for group in measures.groups if not group.control]
    said = []
    if any(group.name[0] == REPLAY for group in alone):
        said.append(
            "A replay shows another run's videos again: it says how this judge answers, and "
            "nothing of how a feed would have reacted to it."
        )
    alone = [group for group in alone if group.name[0] != REPLAY]
    if any("treatment" not in group.arms for group in alone):
        said.append("There are control runs without a treatment, which say nothing of a sway.")
    live = [group.primary.design for group in alone if "treatment" in group.arms]
    if "matrix" in live:
        said.append(
            "There is no control arm, so that the level of the sway, and what all personas have "
            "in common, are not known. Drift does not pass for a specific sway."
        )
    if set(live) - {"matrix"}:
        said.append(
            "There is no control arm: a feed that drifts towards what everyone likes looks the "
            "same as one that follows a persona."
        )
    return said
