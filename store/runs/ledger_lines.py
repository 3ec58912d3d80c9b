"""The lines of a ledger, as validated values: what one run saw, judged and did.

Times are UTC. Durations are seconds; dwell and exposure are seconds of the video as its player
counted them, so that they do not depend on the playback rate. Stage timings are milliseconds of
wall time.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, ConfigDict, Field, field_validator

from store.jsonl.base_record import Record
from store.jsonl.paths import FrameHash, PathName, PerceptualHash, is_name
from store.runs.run_provenance import PlugInMark, Provenance
from store.untrusted.clean_fields import (
    MOST_COUNT,
    ForeignCost,
    ForeignCount,
    ForeignJson,
    ForeignText,
)

SCHEMA = 3
"""Of a ledger as a run writes it: each step is opened before the hands act on it."""
REDACTED = 2
"""The least of a ledger from which something was forgotten: a reader of 1 refuses it."""

MOST_STEPS = 1_000_000
"""Of a phase: a number beyond that was not meant, and whoever counts up to it would not end."""

Whole = Annotated[int, Field(ge=-MOST_COUNT, le=MOST_COUNT)]
"""A place or a count that a column of a table takes."""
SettingValue = bool | int | float | str
"""Value of a setting of a model."""

Answer = Literal["yes", "no"]
Phase = Literal["before", "adapt", "after"]
Exclusion = Literal["ad", "live", "repeat", "not_shown", "photo"]
"""Why a video does not count. Only ledgers before schema 3 exclude a ``repeat``."""
Repeat = Literal["run", "account"]
"""Where a video was shown before: earlier in the run, or in a former run of the same account."""
Missing = Literal[
    "refused", "unreadable", "empty", "timed_out", "filtered", "rate_limited", "failed", "not_asked"
]


class Windows(Record):
    """How many eligible steps each phase has."""

    before: int = Field(50, ge=0, le=MOST_STEPS)
    adapt: int = Field(0, ge=0, le=MOST_STEPS)
    after: int = Field(50, ge=0, le=MOST_STEPS)
    baseline: Literal["active", "passive"] = "active"

    @property
    def total(self) -> int:
        return self.before + self.adapt + self.after

    def phase(self, eligible_so_far: int) -> Phase:
        if eligible_so_far < self.before:
            return "before"
        return "adapt" if eligible_so_far < self.before + self.adapt else "after"


class PersonaRecord(Record):
    """The persona as it was when the run started (its planted themes are left out)."""

    id: str
    traits: tuple[str, ...]
    source: str
    licence: str

    @property
    def traits_hash(self) -> str:
        """First 16 hexadecimal digits of the SHA-256 of the traits, in their order."""
        text = json.dumps(self.traits, ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def identity(self) -> str:
        """Who it is: the id and the hash of the traits. Equal ids alone may be two personas."""
        return f"{self.id}~{self.traits_hash}"


def label_personas(identities: Iterable[str]) -> dict[str, str]:
    """Short names by identity: the id, with part of the hash where two personas share it."""
    known = {identity: identity.rpartition("~") for identity in identities}
    uses = Counter(name for name, _, _ in known.values())
    return {
        identity: name if uses[name] == 1 else f"{name}~{traits[:6]}"
        for identity, (name, _, traits) in known.items()
    }


class RunStarted(Record):
    """First line of a ledger."""

    kind: Literal["run_started"] = "run_started"
    schema_: Annotated[int, Field(alias="schema")] = SCHEMA
    run_id: PathName
    at: AwareDatetime
    persona: PersonaRecord
    platform: PathName
    strategy: str
    model: str
    fingerprint: str | None = None
    """Of the model; ``None`` where it was not declared."""
    arm: Literal["treatment", "yoked", "passive"] = "treatment"
    account: PathName
    windows: Windows
    seed: int
    config: dict[str, Any]
    """Resolved configuration, without secrets."""
    config_hash: str
    prompts: dict[str, str]
    """SHA-256 of each prompt file used, by name."""
    encoder: str | None
    driver: str
    browser: str
    viewport: tuple[int, int]
    locale: str
    signed_in: bool | None = None
    """Whether the account had a session of the site; ``None`` where there are no accounts."""
    provenance: Provenance

    model_config = ConfigDict(populate_by_name=True)

    @field_validator("config")
    @classmethod
    def _names(cls, config: dict[str, Any]) -> dict[str, Any]:
        study = config.get("study")
        if study is not None and not (isinstance(study, str) and is_name(study)):
            raise ValueError(f"study {ascii(study)[:80]} could lead out of its folder")
        return config

    @property
    def study(self) -> str | None:
        return self.config.get("study")

    @property
    def from_elsewhere(self) -> bool:
        """Whether it is a donation or a capture: what others watched or were sent."""
        return self.driver == "none" and self.persona.source in ("donation", "capture")


class RunResumed(Record):
    """The run goes on after an interruption."""

    kind: Literal["run_resumed"] = "run_resumed"
    at: AwareDatetime
    position: Whole
    code_version: str
    browser: str
    plug_ins: tuple[PlugInMark, ...] = ()
    """Those that it goes on with."""


class Video(Record):
    """A video as the platform describes it. ``None`` means not known, never zero."""

    id: ForeignText
    url: ForeignText | None = None
    author: ForeignText | None = None
    """Handle of the account, without ``@``; of the first, where several published it."""
    author_name: ForeignText | None = None
    """Its display name, which may change and need not be its own."""
    caption: ForeignText | None = None
    hashtags: tuple[ForeignText, ...] = ()
    likes: ForeignCount = None
    comments: ForeignCount = None
    views: ForeignCount = None
    duration_s: float | None = None
    ad: bool | None = None
    live: bool | None = None
    photos: ForeignCount = None
    """Pictures of a photo post; ``None`` for a video, or where it is not known."""
    created_at: AwareDatetime | None = None
    """When it was published, as the site tells."""
    music_id: ForeignText | None = None
    music_title: ForeignText | None = None
    music_author: ForeignText | None = None
    shares: ForeignCount = None
    saves: ForeignCount = None
    language: ForeignText | None = None
    """Of its text, as the site has recognised it; so is the category."""
    category: ForeignText | None = None
    subtitled: bool | None = None
    subtitle_languages: tuple[ForeignText, ...] = ()
    stickers: tuple[ForeignText, ...] = ()
    """Texts of stickers that are laid over the picture."""
    ai_label: bool | None = None
    """Whether the site labels it as AI-generated content."""
    paid_partnership: bool | None = None
    ad_authorised: bool | None = None
    """Whether its creator has authorised it as an advertisement."""
    batch: Whole | None = None
    """Which batch of the feed brought it, counted from 0 within the run."""
    batch_requested_at: Whole | None = None
    """Latest position that the persona had begun to react to when that batch was requested."""
    sources: dict[str, str] = Field(default_factory=dict)
    """Where each field was read: ``network``, ``inline``, ``page`` or ``url``."""


def text_of(video: Video) -> str | None:
    """Return the platform's words on a video: its caption, and the hashtags not in it."""
    caption = video.caption or ""
    more = [f"#{tag}" for tag in video.hashtags if f"#{tag}" not in caption]
    return " ".join([caption, *more]).strip() or None


class Frame(Record):
    """One screenshot of the player region."""

    sha256: FrameHash
    width: int
    height: int
    time_s: float
    """Position in the video when it was taken."""
    phash: PerceptualHash
    quality: Literal["ok", "blank", "blurred"] = "ok"
    retakes: int = 0


class Usage(Record):
    """What a judgement cost."""

    calls: int = 0
    input_tokens: ForeignCount = None
    output_tokens: ForeignCount = None
    cache_read_tokens: ForeignCount = None
    """Of the input, those that came from the service's own prompt cache."""
    cache_write_tokens: ForeignCount = None
    reasoning_tokens: ForeignCount = None
    """Of the output, those that the model thought in."""
    cost_usd: ForeignCost = None
    cached: bool = False


class Judgement(Record):
    """What the judge said: an answer, or the reason why there is none."""

    answer: Answer | None
    missing: Missing | None = None
    p_yes: float | None = None
    score: float | None = None
    """ISQ's S%, 0 to 100."""
    isq: dict[str, float] | None = None
    reason: ForeignText | None = None
    description: ForeignText | None = None
    reply: ForeignText = ""
    """The raw reply, cut at 2,000 characters."""
    fault: ForeignText | None = None
    """What came in place of a reply, in words of our own."""
    served: ForeignText | None = None
    """What the service says has answered, where it says so."""
    screen_text: ForeignText | None = None
    attempts: int = 1
    latency_s: float = 0.0
    usage: Usage = Usage()


class Intention(Record):
    """What the hands are about to do with a video."""

    action: Literal["stay", "swipe"]
    like: bool = False
    dwell_s: float
    """Seconds of video that are to be watched, exposure included."""


class Reaction(Record):
    """What was done, as delivered. ``None`` means not known, never zero or no."""

    action: Literal["stay", "swipe"]
    liked: bool | None = False
    dwell_asked_s: float
    dwell_s: float | None
    """Delivered: seconds of video that the page's player played, exposure included."""
    exposure_s: float
    """Of these, played before the player was held for the model."""
    held_s: float | None
    """Wall time during which the player was held."""
    unknown: str | None = None
    """Why what was delivered is not known, where it is not."""
    interruptions: int = 0
    """How often a killed run or a lost browser came between the decision and its end."""


BY_ITSELF = "page"
"""The action of a move that nothing was pressed for: the feed moved on by itself."""


class Move(Record):
    """How the next video was reached."""

    action: str
    """The action that worked: ``key:ArrowDown``, ``button``, ``wheel``, ``scroll``, or ``page``."""
    attempts: int
    moved: int | None
    """Videos forward: 1; more is a recorded skip; ``None`` where the page does not tell."""


class ObservedVideo(Record):
    """One video as it was seen and judged: what a step has from its opening on."""

    kind: str
    position: Whole
    """Counted from 0 over all videos of the run, excluded ones included."""
    at: AwareDatetime
    phase: Phase
    video: Video
    frames: tuple[Frame, ...]
    excluded: Exclusion | None = None
    repeat: Repeat | None = None
    """Whether it was shown before. It counts all the same: a repeat is an exposure."""
    judgement: Judgement
    """Of a video that the run has judged already: that judgement again, at no cost."""

    @property
    def eligible(self) -> bool:
        return self.excluded is None


class StepOpened(ObservedVideo):
    """A video was judged, and the hands are about to act.

    One whose ``Step`` is missing was interrupted: resuming the run closes it.
    """

    kind: Literal["step_opened"] = "step_opened"
    intention: Intention
    exposure_s: float
    """Seconds of video that had been played by then."""


class Step(ObservedVideo):
    """One video as it was seen, judged and reacted to."""

    kind: Literal["step"] = "step"
    reaction: Reaction
    move: Move | None
    """``None`` where the run ended on this video."""
    timings_ms: dict[str, float]


class Fault(Record):
    """Something went wrong; the run went on, paused or ended."""

    kind: Literal["fault"] = "fault"
    at: AwareDatetime
    position: Whole
    fault: str
    """Class of the fault, such as ``BrowserLost``."""
    message: ForeignText
    recovered: bool
    details: ForeignJson = Field(default_factory=dict)


class Forgotten(Record):
    """Something was taken out of this ledger on request or by age; everything else stands.

    Of an emptied step the measurement stays (place, answer, probabilities, reaction, times), and
    its video has an id that means nothing outside this request. Whom or what it was is not told.
    """

    kind: Literal["forgotten"] = "forgotten"
    at: AwareDatetime
    position: Whole
    """Step that comes next in the run."""
    positions: tuple[int, ...]
    """Steps that were emptied: frames, video, and the judge's words."""
    edited: tuple[int, ...] = ()
    """Steps in whose texts, or re-judgements, a name was replaced, and nothing else."""
    asked: Literal["video", "author", "before"]
    before: AwareDatetime | None = None


class RunFinished(Record):
    """Last line of a run that is complete, and its proof; only ``Forgotten`` lines come after."""

    kind: Literal["run_finished"] = "run_finished"
    at: AwareDatetime
    steps: int
    eligible: int
    reason: str = "complete"
    left_on_s: float | None = None
    """Seconds of the video that the last move led to, which was held and left unjudged."""
