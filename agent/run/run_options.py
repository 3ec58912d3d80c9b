"""A run as a person asks for it: options by their names, and the configuration that they make."""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, get_args

from pydantic import AfterValidator, BeforeValidator, ValidationError

from agent.drivers import DRIVERS
from agent.errors import BadConfig
from agent.model_settings import ModelSettings
from agent.models import check as check_model
from agent.models import (
    check_looks,
    check_persona,
    check_revision,
    check_settings,
    find_capabilities,
)
from agent.platforms import load_platform
from agent.platforms.base import Platform
from agent.recordings.recording_file import hash_recording, read_recording
from agent.run_config import (
    Arm,
    Explain,
    FeedName,
    Frames,
    FrozenValue,
    HandPace,
    PhotoRule,
    RunConfig,
    SiteConfig,
)
from personas.library import find
from personas.strategies import Order, hashes
from store.runs.data_folder import DataFolder
from store.runs.ledger import read
from store.runs.ledger_lines import Windows
from store.terminal.printing import count_of

OWN_OF_PLAYGROUND = ("feed", "gain", "motion", "catalogue")


@dataclass(frozen=True)
class NumberRange:
    """Numbers that an option takes, and the words that refuse another; also as text."""

    kind: type[int] | type[float]
    least: float
    most: float | None = None
    above: bool = False
    """Whether ``least`` itself is refused."""

    def __str__(self) -> str:
        if self.most is None:
            return f"x{'>' if self.above else '>='}{self.least}"
        return f"{self.least}{'<' if self.above else '<='}x<={self.most}"

    def __call__(self, value: object) -> float:
        try:
            number = self.kind(str(value))
        except ValueError:
            name = "integer" if self.kind is int else "float"
            raise ValueError(f"{str(value)!r} is not a valid {name} range.") from None
        below = number <= self.least if self.above else number < self.least
        if below or (self.most is not None and number > self.most):
            raise ValueError(f"{number} is not in the range {self}.")
        return number


def _check_folder(path: Path) -> Path:
    if path.is_file():
        raise ValueError(f"Directory {str(path)!r} is a file.")
    if path.exists() and not os.access(path, os.R_OK):
        raise ValueError(f"Directory {str(path)!r} is not readable.")
    return path


def _as_several(words: object) -> object:
    return (words,) if isinstance(words, str) else words


Count = Annotated[int, BeforeValidator(NumberRange(int, 0))]
AtLeastOne = Annotated[int, BeforeValidator(NumberRange(int, 1))]
Positive = Annotated[float, BeforeValidator(NumberRange(float, 0, above=True))]


class RunRequest(FrozenValue):
    """Options of a run, by the names that ``python -m agent run`` has for them.

    ``model_fields_set`` says which were given. Those of a live site's pace and of a model's cost
    are no part of a configuration, and are only checked here.
    """

    persona: str | None = None
    """An id, or the path of a file."""
    platform: str = "playground"
    strategy: str = "simple"
    model: str = "embedded/conse"
    model_revision: str | None = None
    model_setting: Annotated[tuple[str, ...], BeforeValidator(_as_several)] = ()
    """``NAME=VALUE`` each, or several of them with commas between."""
    arm: Arm = "treatment"
    of: str | None = None
    yoke: str | None = None
    account: str | None = None
    before: Count = 50
    adapt: Count = 0
    after: Count = 50
    baseline: Literal["active", "passive"] = "active"
    like: bool = False
    photos: PhotoRule = "judge"
    max_excluded: AtLeastOne = 50
    max_missing: Count = 10
    seed: Count = 1
    frames: Annotated[int, BeforeValidator(NumberRange(int, 1, 16))] = 1
    frame_span: Positive = 3.0
    sheet: bool = False
    feed: FeedName = "listener"
    gain: Annotated[float, BeforeValidator(NumberRange(float, 0, 1))] = 1.0
    speed: Annotated[float, BeforeValidator(NumberRange(float, 0, 16, above=True))] = 16.0
    motion: Literal["smooth", "instant"] = "smooth"
    catalogue: Annotated[Path, AfterValidator(_check_folder)] | None = None
    adapter: Path | None = None
    """A newer adapter file of the platform."""
    skin: str | None = None
    """Switches with which the playground looks like the platform; ``plain``: none."""
    explain: Explain = "never"
    order: Order = "persona-first"
    driver: Literal["playwright", "desktop"] = "playwright"
    pace: Annotated[float, BeforeValidator(NumberRange(float, 0.5))] = 3.0
    per_day: Count = 300
    quiet_hours: str | None = None
    renew_after: Count = 200
    max_cost: Annotated[float, BeforeValidator(NumberRange(float, 0))] | None = None
    max_tokens: Count | None = None


def request_of_table(table: Mapping[str, str | bool | int | float]) -> RunRequest:
    """Return a table of options as a request; the words of a refusal are the command line's.

    Parameters
    ----------
    table
        By name, with ``_`` or ``-``. A flag is ``true``; what is ``false`` is not given.

    Raises
    ------
    BadConfig
        An option that there is not, or a value that it does not take.
    """
    given: dict[str, str | bool] = {}
    for key, value in table.items():
        if value is False:
            continue
        name, option = key.replace("-", "_"), f"--{key.replace('_', '-')}"
        field = RunRequest.model_fields.get(name)
        if field is None:
            raise BadConfig(_no_such_option(option))
        flag = field.annotation is bool
        if flag and value is not True:
            raise BadConfig(f"Got unexpected extra argument ({value})")
        if not flag and value is True:
            raise BadConfig(f"Option {option!r} requires an argument.")
        given[name] = True if flag else str(value)
    try:
        return RunRequest.model_validate(given)
    except ValidationError as error:
        raise BadConfig(_tell_problem(error)) from None


def _no_such_option(option: str) -> str:
    known = [f"--{name.replace('_', '-')}" for name in RunRequest.model_fields]
    near = ", ".join(repr(name) for name in sorted(difflib.get_close_matches(option, known)))
    several = f" (Did you mean one of: {near}?)" if "," in near else f" Did you mean {near}?"
    return f"No such option {option!r}.{several if near else ''}"


def _tell_problem(error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    name = str(first["loc"][0])
    problem = first["msg"].removeprefix("Value error, ")
    if first["type"] == "literal_error":
        choices = get_args(RunRequest.model_fields[name].annotation)
        problem = f"{first['input']!r} is not one of {', '.join(map(repr, choices))}."
    return f"Invalid value for '--{name.replace('_', '-')}': {problem}"


def config_of_request(
    request: RunRequest, data: DataFolder, occurrence: str | None = None
) -> RunConfig:
    """Return what a request asks for.

    Parameters
    ----------
    data
        Where the run lies that a replay shows again.
    occurrence
        Due time of the daemon that the run is for.

    Raises
    ------
    BadConfig, UnknownName, PersonaError, StoreError
        Options that contradict each other, or that name what is not there.
    """
    persona = request.persona
    if persona is None:
        raise BadConfig("Who watches? Type: python -m agent run --persona p12")
    if (request.arm == "yoked") != (request.yoke is not None):
        raise BadConfig("A yoked run takes over another run. Type: --arm yoked --yoke RUN")
    platform = load_platform(request.platform, request.adapter)
    if platform.recorded != (request.of is not None) and not platform.from_file:
        raise BadConfig("A replay shows a recorded run. Type: --platform replay --of RUN")
    recording, request = _take_recording(platform, request)
    if DRIVERS[request.driver].on_screen:
        request = _adapt_to_desktop(request)
    windows, site = _windows(request, data), _site(platform, request)
    config = RunConfig(
        persona=find(persona),
        platform=platform.name,
        strategy=request.strategy,
        model=request.model,
        revision=request.model_revision,
        settings=ModelSettings.parse(request.model_setting),
        arm=request.arm,
        account=request.account,
        windows=windows,
        seed=request.seed,
        driver=request.driver,
        like=request.like,
        photos=request.photos,
        max_excluded=request.max_excluded,
        max_missing=request.max_missing,
        explain=request.explain,
        order=request.order,
        of=request.of,
        recording=recording,
        recording_sha256=None if recording is None else hash_recording(recording),
        yoke=request.yoke,
        cell=occurrence,
        frames=_frames(request, data),
        pace=HandPace(floor_s=request.pace) if platform.live and site is None else None,
        site=site,
        adapter=platform.adapter,
    )
    check_names(config)
    return config


def check_names(config: RunConfig) -> None:
    """Refuse unknown names before anything is started."""
    hashes(config.strategy)
    check_model(config.model)
    check_revision(config.model, config.revision)
    check_settings(config.model, config.settings)
    check_looks(config.model)
    check_persona(config.model, config.persona.id, config.persona.traits)
    if config.strategy == "plain" and not find_capabilities(config.model).own_taste:
        raise BadConfig(f"{config.model} has no taste of its own to ask. Type: --strategy simple")


def _take_recording(platform: Platform, request: RunRequest) -> tuple[Path | None, RunRequest]:
    """Return the recording that is played back, and the rest of the request."""
    if not platform.from_file:
        return None, request
    if request.of is None:
        raise BadConfig("What is played back? Type: --platform recording --of FOLDER")
    if DRIVERS[request.driver].on_screen:
        raise BadConfig("A recording is played back in a browser. Type: --driver playwright")
    path = Path(request.of).absolute()
    scenes = read_recording(path).videos
    known = [one.described or {} for one in scenes]
    passed = sum(bool(one.get("ad") or one.get("live")) for one in known)
    counted, asked = len(scenes) - passed, request.before + request.adapt + request.after
    if counted < 1:
        raise BadConfig(
            f"{path.name} holds only advertisements and live cards, which do not count. "
            "Record more videos. Type: python -m agent record --help"
        )
    if asked > counted:
        without = f", {passed} of them ads or live cards" if passed else ""
        raise BadConfig(
            f"{path.name} holds {count_of(len(scenes), 'video')}{without}, "
            f"and {asked} that count are asked for. Type: {propose_windows(counted)}"
        )
    return path, request.model_copy(update={"of": None})


def propose_windows(videos: int) -> str:
    """Return options of windows that so many videos fill, a tenth of which may not be shown."""
    sure = max(1, videos - 1 - videos // 10)
    before = max(1, sure // 2)
    return f"--before {before} --adapt 0 --after {sure - before}"


def _adapt_to_desktop(request: RunRequest) -> RunRequest:
    """Refuse what a desktop cannot do; the playground plays there at the speed of life."""
    if request.like and not DRIVERS[request.driver].confirms_likes:
        raise BadConfig("The desktop driver cannot confirm a like. Type: the same without --like")
    if request.of is not None:
        raise BadConfig("A replay opens no window. Type: the same without --driver desktop")
    if request.account is not None and not load_platform(request.platform).own_site:
        raise BadConfig("Your own window has its own account. Type: the same without --account")
    if "speed" in request.model_fields_set:
        return request
    return request.model_copy(update={"speed": 1.0})


def _site(platform: Platform, request: RunRequest) -> SiteConfig | None:
    """Return what the playground serves: as itself, or in the skin of a live platform."""
    served = SiteConfig(
        feed=request.feed,
        gain=request.gain,
        speed=request.speed,
        motion=request.motion,
        catalogue=request.catalogue,
    )
    if platform.own_site:
        return served
    if not platform.live:
        return None
    if request.skin is not None:
        switches = request.skin.removeprefix("plain")
        return SiteConfig.model_validate(
            served.model_dump() | {"skin": platform.name, "switches": switches}
        )
    given = request.model_fields_set
    for name in OWN_OF_PLAYGROUND:
        if name in given:
            raise BadConfig(f"--{name} is the playground's own. Type: --platform playground")
    if "speed" in given and request.speed != 1:
        raise BadConfig(f"{platform.name} is watched at the speed of life. Type: --speed 1")
    return None


def _windows(request: RunRequest, data: DataFolder) -> Windows:
    """Return the windows asked for; a replay has those of the recorded run."""
    if request.of is not None:
        return read(data.find_run(request.of)).started.windows
    windows = Windows(
        before=request.before,
        adapt=request.adapt,
        after=request.after,
        baseline=request.baseline,
    )
    if windows.total == 0:
        raise BadConfig("There is nothing to watch. Type: --before 50 --after 50")
    return windows


def _frames(request: RunRequest, data: DataFolder) -> Frames:
    """Return which frames are taken; a replay shows those that were."""
    if request.of is not None:
        kept = read(data.find_run(request.of)).started.config
        return Frames(**kept.get("frames", {}))
    return Frames(count=request.frames, span_s=request.frame_span, sheet=request.sheet)
