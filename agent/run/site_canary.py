"""A run's own first videos are the canary of its site: what they showed, and a change that ends it.

No video is watched for this: each view teaches the feed of the account that is measured.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

from agent.errors import LayoutChanged
from agent.platforms import load_platform
from agent.platforms.base import Feed
from agent.platforms.canary import FIRST_VIDEOS, CapabilityVerdict, list_failures
from agent.run.recorder import LedgerRecorder
from agent.run_config import RunConfig
from store.errors import StoreError
from store.runs.canary_log import CanaryRecord, append_canary
from store.runs.data_folder import DataFolder

Tell = Callable[[str], None]


class RunCanary:
    """Writes down what a run finds of its site, with the date."""

    def __init__(
        self, config: RunConfig, data: DataFolder, run_id: str, now: Callable[[], datetime]
    ) -> None:
        self._config = config
        self._data = data
        self._run_id = run_id
        self._now = now

    def attach(self, feed: Feed, recorder: LedgerRecorder, tell: Tell) -> None:
        """Hear of what the feed notices; ``tell`` is told in words."""

        def judged(verdicts: Sequence[CapabilityVerdict]) -> None:
            for failed in list_failures(verdicts):
                tell(f"{failed.capability} of {self._config.platform} fails: {failed.why}")
            self._write(make_canary_record("run", self._config, verdicts, self._now()), tell)

        def changed(change: LayoutChanged) -> None:
            recorder.note_change(change, feed.next_position)
            tell(f"{change}; the run goes on with what the page itself says")

        feed.watch.on_canary, feed.watch.on_change = judged, changed

    @contextmanager
    def watch_for_change(self, tell: Tell) -> Iterator[None]:
        """Write down the change of the site that ends the run, if one does."""
        try:
            yield
        except LayoutChanged as change:
            capability = str(change.details.get("capability", "order"))
            verdict: list[CapabilityVerdict] = []
            record = make_canary_record("layout_changed", self._config, verdict, self._now())
            named = {"verdicts": {capability: "fails"}, "reasons": {capability: str(change)}}
            videos = change.details.get("videos", 0)
            self._write(record.model_copy(update={**named, "videos": videos}), tell)
            raise

    def _write(self, record: CanaryRecord, tell: Tell) -> None:
        if not load_platform(self._config.platform).live:
            return
        try:
            append_canary(self._data, record.model_copy(update={"run_id": self._run_id}))
        except StoreError as error:  # the run is worth more than its canary
            tell(f"what was found of the site was not written down: {error}")


def make_canary_record(
    kind: str, config: RunConfig, verdicts: Sequence[CapabilityVerdict], at: datetime
) -> CanaryRecord:
    """Return the log's line on verdicts; reasons are given of what does not hold."""
    mark = config.adapter
    return CanaryRecord.model_validate(
        {
            "kind": kind,
            "at": at,
            "platform": config.platform,
            "skin": config.site is not None,
            "adapter_version": mark.version if mark else None,
            "adapter_sha256": mark.sha256 if mark else None,
            "own_adapter": mark is not None and mark.own,
            "videos": FIRST_VIDEOS if verdicts else 0,
            "verdicts": {one.capability: one.verdict for one in verdicts},
            "reasons": {one.capability: one.why for one in verdicts if one.verdict != "holds"},
        }
    )
