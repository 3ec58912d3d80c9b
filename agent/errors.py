"""What can go wrong while acting, drawn once.

::

    AgentError
    ├─ UserError        a person can mend it: one sentence that ends in what to type; exit code 2
    │  ├─ UnknownName       a persona, platform, model, ... that does not exist, with the nearest
    │  ├─ MissingExtra      an optional part is not installed
    │  ├─ BadConfig         options that contradict each other or the machine
    │  ├─ BadHooks          selectors or expressions that the browser cannot read
    │  ├─ NotSignedIn       the platform needs a session that the account does not have
    │  ├─ BadRecording      a recording of a site that cannot be read, or is not whole
    │  ├─ BadExpectations   a file of what was approved of a recording that makes no sense
    │  └─ StudyChanged      something that a study froze is not what it was
    └─ RunFault         a fault in the run, written to the ledger; exit code 1
       ├─ PlatformFault    FeedEmpty · FeedIneligible · LayoutChanged · PaceReached
       │  └─ WallShown        LoginRequired · ChallengeShown · RateLimited · ConsentAsked ·
       │                      AgeAsked · PresenceAsked · SiteFailed
       ├─ DriverFault      BrowserLost · ActionNotConfirmed · PageStuck · PageError ·
       │                   PlayerLost · WindowCovered · FrameChanged
       └─ ModelFault       TimedOut · Refused · Filtered · UnreadableReply · SlowDown ·
                           ModelFailed · ModelSilent · BudgetSpent
"""

from __future__ import annotations

import difflib
import shlex
from collections.abc import Iterable
from typing import Any


class AgentError(Exception):
    """Root of everything that the agent raises on purpose."""


class UserError(AgentError):
    """A person can mend it. The message is one sentence that ends in what to type."""


EXIT_CODES: dict[type[Exception], int] = {AgentError: 1, UserError: 2}


class UnknownName(UserError):
    """A name that nothing answers to; offers the nearest ones."""

    def __init__(self, what: str, name: str, known: Iterable[str], fix: str) -> None:
        self.name = name
        near = difflib.get_close_matches(name, list(known), n=3, cutoff=0.4)
        hint = f" Nearest: {', '.join(near)}." if near else ""
        super().__init__(f"There is no {what} {name!r}.{hint} {fix}")


class MissingExtra(UserError):
    """An optional part is not installed."""

    def __init__(self, what: str, fix: str) -> None:
        super().__init__(f"{what} is not installed. Type: {fix}")


class BadConfig(UserError):
    """Options that contradict each other or the machine."""


class BadHooks(UserError):
    """Selectors or expressions that the browser cannot read."""

    def __init__(self, unreadable: list[str]) -> None:
        self.unreadable = unreadable
        super().__init__(
            f"The browser cannot read {', '.join(map(repr, unreadable))}. Mend the adapter file, "
            "then type: the same command"
        )


class NotSignedIn(UserError):
    """The platform needs a session that the account does not have."""

    def __init__(self, platform: str, account: str) -> None:
        super().__init__(
            f"{account!r} is not signed in to {platform}. "
            f"Type: python -m agent login {platform} --account {account}"
        )


class BadRecording(UserError):
    """A recording of a site that cannot be read, or is not whole."""

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(
            f"{path} is no recording that can be played back: {problem}. "
            "Record the site again. Type: python -m agent record --help"
        )


class BadExpectations(UserError):
    """A file of what a person approved of a recording that makes no sense."""

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(
            f"{path} does not hold what is read of a recording: {problem}. "
            f"Put it back, or approve anew. Type: rm {shlex.quote(path)}"
        )


class StudyChanged(UserError):
    """Something that a study froze is not what it was."""

    def __init__(self, name: str, what: str) -> None:
        super().__init__(
            f"{what} since study {name} was begun, so that its replicates would not be of one "
            'kind. Put it back, or type in the study file: name = "ANOTHER"'
        )


class RunFault(AgentError):
    """A fault in the run. ``details`` goes into the ledger and must hold no secret."""

    def __init__(self, message: str, **details: Any) -> None:
        super().__init__(message)
        self.details = details


class PlatformFault(RunFault):
    """The site does not do what the run needs."""


class FeedEmpty(PlatformFault):
    """The feed has no further video."""


class FeedIneligible(PlatformFault):
    """The feed goes on and on with videos that do not count towards a window."""

    def __init__(self, videos: int) -> None:
        super().__init__(
            f"{videos} videos in a row did not count: advertisements, live cards, or nothing "
            "shown. Look at the feed, then go on with the same command, or allow more with "
            f"--max-excluded {2 * videos}.",
            videos=videos,
        )


class LayoutChanged(PlatformFault):
    """The page does not look as the adapter knows it."""

    saw = "a page or responses that its adapter does not know"


class PaceReached(PlatformFault):
    """The account has watched enough for now, by the run's own rules."""

    def __init__(self, why: str) -> None:
        super().__init__(f"Enough for now: {why}. Go on later with the same command.")


class WallShown(PlatformFault):
    """The site puts something before its feed that only a person answers."""

    saw = "something before its feed"
    advice = "Look at the page in the account's browser, then run the same command again."

    def __init__(self, platform: str, seen: str, **details: Any) -> None:
        super().__init__(f"{platform} shows {self.saw}. {self.advice}", seen=seen, **details)


class LoginRequired(WallShown):
    """The site asks for a session."""

    saw = "a sign-in wall"
    advice = "Sign in: python -m agent login PLATFORM --account NAME; then run the same command."


class ChallengeShown(WallShown):
    """The site asks a person to prove something. Nothing here answers it."""

    saw = "a challenge, such as a captcha"
    advice = "Answer it yourself in the account's browser, or leave the account alone for a day."


class RateLimited(WallShown):
    """The site asks to slow down."""

    saw = "that it wants fewer requests"
    advice = "Wait some hours, then run the same command; a lower --per-day keeps below it."


class ConsentAsked(WallShown):
    """The site asks for consent, and no button that declines was found."""

    saw = "a consent dialogue without a known button to decline"
    advice = "Choose yourself in the account's browser, then run the same command again."


class AgeAsked(WallShown):
    """The site asks for an age."""

    saw = "an age check"


class PresenceAsked(WallShown):
    """The site asks whether somebody is there."""

    saw = "the question whether somebody is watching"


class SiteFailed(WallShown):
    """The site shows an error of its own."""

    saw = "an error page of its own"
    advice = "Wait a while, then run the same command again."


def is_wall(fault: str) -> bool:
    """Whether a fault, as a ledger names it, is a wall."""
    return fault in {WallShown.__name__, *(kind.__name__ for kind in WallShown.__subclasses__())}


def waits_for_person(fault: str) -> bool:
    """Whether a fault, as a ledger names it, goes away only once a person has looked."""
    return is_wall(fault) or fault == LayoutChanged.__name__


def is_of_model(fault: str) -> bool:
    """Whether a fault, as a ledger names it, is a model's. No site is to blame."""
    return fault in {ModelFault.__name__, *(kind.__name__ for kind in ModelFault.__subclasses__())}


class DriverFault(RunFault):
    """The browser does not do what it was told."""


class BrowserLost(DriverFault):
    """The browser or its page is gone."""


class ActionNotConfirmed(DriverFault):
    """No action moved the feed by exactly one video."""


class PageStuck(DriverFault):
    """The page shows no playing video within its limit."""


class PageError(DriverFault):
    """The page reported an error of its own; the run goes on."""


class PlayerLost(DriverFault):
    """Where the player is on the screen is not certain any more."""


class WindowCovered(DriverFault):
    """Another window lies over the player, named by its program and not by its title."""

    def __init__(self, window: str) -> None:
        super().__init__(
            f"Another window ({window}) lies over the player. Move it away, then type the same "
            "command: it goes on",
            window=window,
        )


class FrameChanged(DriverFault):
    """A held picture was another one each time it was taken."""


class ModelFault(RunFault):
    """The model gave no reply that could be read."""


class TimedOut(ModelFault):
    """No reply within the limit."""


class Refused(ModelFault):
    """The model declined to answer."""


class Filtered(ModelFault):
    """The provider's content filter held the question or the reply back."""


class UnreadableReply(ModelFault):
    """The reply is neither yes nor no, twice."""


class SlowDown(ModelFault):
    """The model's service had no place for the question, however often it was put."""


class ModelFailed(ModelFault):
    """The model's service or process failed."""


class ModelSilent(ModelFault):
    """No reply came to so many questions in a row that asking on is useless."""

    def __init__(self, in_a_row: int, last: str) -> None:
        super().__init__(
            f"The model gave no reply to {in_a_row} questions in a row (the last one: {last}). "
            "Once it replies again, type the same command: it goes on",
            in_a_row=in_a_row,
            last=last,
        )


class BudgetSpent(ModelFault):
    """The cap on cost or tokens is reached."""
