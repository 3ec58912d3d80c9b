"""The study file: what is declared before anything is run, validated as a whole."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints, field_validator, model_validator

from agent.errors import BadConfig, UserError
from agent.judge.spending_cap import SpendingCap
from agent.model_settings import ModelSettings
from agent.models.providers import parse_model_name
from agent.run.pacing import Hours, zone_of
from agent.run_config import Arm, Dwell, Explain, Frames, FrozenValue, PhotoRule, SiteConfig
from personas.strategies import Order
from store.runs.ledger_lines import Windows
from store.runs.question_draws import LEAST_OF_OTHERS, STEPS, is_drawable
from store.untrusted.declared_files import read_declared
from store.untrusted.size_limits import BadToml, read_toml

NAME = r"^[a-z0-9][a-z0-9_-]{0,63}$"
Name = Annotated[str, StringConstraints(pattern=NAME)]
Names = Annotated[tuple[str, ...], Field(min_length=1)]
Primary = Literal["controlled", "matrix", "paired", "borrowed"]
Looks = Literal["end", "replicates"]


class BadStudy(UserError):
    """A study file that cannot be run, with the line at fault."""

    def __init__(self, path: Path, problem: str, line: int | None = None) -> None:
        self.path, self.line = path, line
        where = f"{path}:{line}" if line else str(path)
        super().__init__(f"{where}: {problem} Type: python -m agent study --example")


class Matrix(FrozenValue):
    """Everything that is crossed."""

    personas: Names
    platforms: Names = ("playground",)
    strategies: Names = ("simple",)
    models: Names = ("embedded/conse",)
    arms: Annotated[tuple[Arm, ...], Field(min_length=1)] = ("treatment", "passive")
    replicates: int = Field(1, ge=1)

    @model_validator(mode="after")
    def _possible(self) -> Matrix:
        for field in ("personas", "platforms", "strategies", "models", "arms"):
            names = getattr(self, field)
            if len(set(names)) < len(names):
                raise ValueError(f"{field} names something twice")
        if "yoked" in self.arms and "treatment" not in self.arms:
            raise ValueError("arms has yoked without the treatment that it is yoked to")
        if "yoked" in self.arms and self.replicates < 2:
            raise ValueError(
                "replicates must be 2 or more with a yoked arm: a yoke takes the schedule of an "
                "earlier replicate"
            )
        return self


class StudyPacing(FrozenValue):
    """How the runs share the machine."""

    parallel: int = Field(1, ge=1)
    attempts: int = Field(3, ge=1)
    """How often a run is started or resumed before it counts as failed."""
    together: bool = False
    """Whether the arms of a slot start at the same moment, or not yet."""


class LiveSettings(FrozenValue):
    """How live sites are watched."""

    floor_s: float = Field(3.0, ge=0.5)
    per_day: int | None = Field(300, ge=1)
    quiet_hours: str | None = None
    timezone: str | None = None
    """Whose days and hours these are; ``None``: the machine's, or the watch file's."""
    renew_after: int = Field(200, ge=0)

    @field_validator("timezone")
    @classmethod
    def _known(cls, name: str | None) -> str | None:
        try:
            if name is not None:
                zone_of(name)
        except BadConfig:
            raise ValueError(f'{name!r} is no time zone; write it as "Europe/Berlin"') from None
        return name

    @field_validator("quiet_hours")
    @classmethod
    def _readable(cls, text: str | None) -> str | None:
        try:
            if text is not None:
                Hours.parse(text)
        except BadConfig:
            raise ValueError('quiet_hours are written as "23:00-07:00"') from None
        return text


class Test(FrozenValue):
    """What is tested, declared before the data are seen."""

    primary: Primary = "controlled"
    sides: Literal["one", "two"] = "two"
    alpha: float = Field(0.05, gt=0, lt=0.5)
    looks: Looks = "end"
    """When it is made: once, at the end, or after each replicate, with alpha spent over them."""


class RejudgeSettings(FrozenValue):
    """How stored frames are judged again, as every persona, where the test needs it."""

    others: float = 1.0
    """Share of the videos of other runs that each persona is asked about, drawn."""
    mirrored: bool = False
    """Whether the opposite question is asked as well."""
    explain: Explain = "never"
    batch: bool = False
    """Whether they are asked through the provider's batch service, at about half the price."""

    @field_validator("others")
    @classmethod
    def _drawable(cls, share: float) -> float:
        if not is_drawable(share) or share < LEAST_OF_OTHERS:
            raise ValueError(
                f"others is drawn in steps of {1 / STEPS:g}, of {LEAST_OF_OTHERS:g} to 1"
            )
        return share


class StudyBudget(FrozenValue):
    """What the models may cost in all: while watching, and when judging again."""

    max_cost: float | None = Field(None, ge=0)
    """US dollars."""
    max_tokens: int | None = Field(None, ge=0)


class StudyDeclaration(FrozenValue):
    """A whole study file."""

    name: Name
    seed: int = Field(1, ge=0)
    matrix: Matrix
    windows: Windows = Windows(before=24, adapt=24, after=52, baseline="passive")
    dwell: Dwell = Dwell()
    site: SiteConfig = SiteConfig()
    frames: Frames = Frames()
    live: LiveSettings = LiveSettings()
    like: bool = False
    adapters: dict[str, Path] = Field(default_factory=dict)
    """Newer adapter files, by platform."""
    photos: PhotoRule = "judge"
    order: Order = "persona-first"
    """Whether models read the persona or the picture first, in every run and sitting."""
    pace: StudyPacing = StudyPacing()
    test: Test = Test()
    model_settings: dict[str, ModelSettings] = Field(default_factory=dict)
    """How models are asked, beside the question, by the model's name."""
    rejudge: RejudgeSettings = RejudgeSettings()
    budget: StudyBudget = StudyBudget()

    @property
    def cap(self) -> SpendingCap:
        """The budget as a cap on all calls of the study; open where there is none."""
        budget = self.budget
        return SpendingCap(budget.max_cost, budget.max_tokens, study=self.name, whole=True)

    @property
    def judged_again(self) -> bool:
        """Whether the test needs every run's stored frames judged as every persona."""
        return self.test.primary in ("matrix", "borrowed")

    def with_replicates(self, count: int | None) -> StudyDeclaration:
        if count is None:
            return self
        matrix = self.matrix.model_copy(update={"replicates": count})
        return self.model_copy(update={"matrix": matrix})

    @model_validator(mode="after")
    def _batched(self) -> StudyDeclaration:
        for model in self.matrix.models if self.rejudge.batch else ():
            if parse_model_name(model).batch_service is None:
                raise ValueError(f"batch = true, and {model} has no batch service known here")
        return self

    @model_validator(mode="after")
    def _testable(self) -> StudyDeclaration:
        controls = set(self.matrix.arms) - {"treatment"}
        if self.test.primary == "controlled" and not controls:
            raise ValueError("the primary test is controlled, and arms has no control arm")
        if self.pace.together and self.pace.parallel < len(self.matrix.arms):
            raise ValueError("parallel must be as many as the arms that start together")
        if self.test.primary == "borrowed" and self.windows.baseline != "passive":
            raise ValueError("a borrowed base needs windows with baseline = 'passive'")
        if self.rejudge.mirrored and "isq" in self.matrix.strategies:
            raise ValueError("the questionnaire (isq) has no opposite question to be mirrored")
        if self.test.looks == "replicates":
            self._can_be_looked_at()
        if foreign := self.adapters.keys() - set(self.matrix.platforms):
            raise ValueError(f"adapters names {min(foreign)}, which no run watches")
        if foreign := self.model_settings.keys() - set(self.matrix.models):
            raise ValueError(f"model_settings names {min(foreign)}, which no run asks")
        return self

    def _can_be_looked_at(self) -> None:
        """Refuse looks after each replicate where no test could be made of one."""
        matrix = self.matrix
        if self.test.primary != "matrix":
            raise ValueError('looks = "replicates" needs the primary test matrix')
        if max(map(len, (matrix.platforms, matrix.strategies, matrix.models))) > 1:
            raise ValueError('looks = "replicates" needs one platform, strategy and model')
        if "yoked" in matrix.arms:
            raise ValueError('arms has no yoked arm with looks = "replicates"')
        if matrix.replicates < 2:
            raise ValueError('replicates must be 2 or more with looks = "replicates"')


EXAMPLE = """\
name = "first-study"
seed = 7
# photos = "pass"                   # leave photo posts after a swipe's dwell, unjudged
# order = "picture-first"           # models read the picture before the persona: cheaper re-judging

[matrix]
personas = ["p01", "p05", "p09", "p12", "p16", "p19", "p28", "p32"]   # unlike tastes find most
platforms = ["playground"]
strategies = ["simple"]
models = ["embedded/conse"]
arms = ["treatment"]                # "passive" or "yoked" (replicates = 2) add controls
replicates = 1

[windows]                           # videos of each run
before = 48                         # watched without reacting
adapt = 36                          # reacting, and not compared: the feed learns
after = 66
baseline = "passive"

[site]                              # the playground's own
feed = "listener"
gain = 1.0
speed = 16

[frames]
count = 1                           # pictures of each video that the model is given

# [model_settings."openai/gpt-4o"]  # of a model of the matrix; what is left out is its own
# temperature = 0

[live]                              # on the real sites only
floor_s = 3.0                       # at least, from one action to the next
per_day = 300                       # videos an account
# quiet_hours = "23:00-07:00"
# timezone = "Europe/Berlin"        # whose days and hours these are

[pace]
parallel = 1

[test]                              # declared before anything is run
primary = "matrix"                  # or controlled (needs a control arm), paired, borrowed
sides = "two"
# looks = "replicates"              # test after each replicate, and stop when the answer is in

# [rejudge]                         # stored frames, afterwards, as every persona
# others = 0.5                      # share of the other runs' videos that is asked about, drawn
# mirrored = true                   # the opposite question too
# batch = true                      # by the provider's batch service: cheaper, within a day

# [budget]                          # of the whole study; it ends where this is spent
# max_cost = 20                     # US dollars
"""


def load_study(path: Path) -> StudyDeclaration:
    """Read and validate a study file; raises ``BadStudy``, which names the line."""
    return read_declared(path, StudyDeclaration, BadStudy)


def read_cap(path: Path, name: str) -> SpendingCap:
    """Return the budget of a study by its kept file; an open one where it declares none."""
    try:
        declared = path.exists() and "budget" in read_toml(path)
    except BadToml:
        declared = True  # and reading it as a whole says what is wrong
    return load_study(path).cap if declared else SpendingCap(study=name, whole=True)


def check_extends(declared: StudyDeclaration, kept: Path, path: Path) -> None:
    """Refuse a study that differs from the one that was begun in more than its size.

    ``kept`` is the study file as it was when the study was last run; it may not exist yet.
    """
    if not kept.exists():
        return
    before = load_study(kept)
    fixed: Any = {
        "matrix": {"personas", "replicates"},
        "pace": ...,
        "adapters": ...,
        "rejudge": ...,  # each sitting holds how it was drawn
        "budget": ...,
    }
    then, now = before.model_dump(exclude=fixed), declared.model_dump(exclude=fixed)
    for key in now:
        if now[key] != then[key]:
            raise BadStudy(
                path,
                f"{key} differs from the study of this name that was begun; give it a new "
                "name, or its old settings.",
            )
    sizes = [(one.matrix.replicates, set(one.matrix.personas)) for one in (before, declared)]
    if before.test.looks == "replicates" and sizes[0] != sizes[1]:
        raise BadStudy(
            path, "its looks were declared for a size that it must keep; give it a new name."
        )
    lost = set(before.matrix.personas) - set(declared.matrix.personas)
    if lost or declared.matrix.replicates < before.matrix.replicates:
        raise BadStudy(path, "a study that was begun can be extended, not cut; give it a new name.")
