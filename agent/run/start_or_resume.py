"""Puts one run together: resume or start, site, browser, judge, loop, last line."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Protocol

import numpy as np

from agent.drivers.web import browser as browsers
from agent.errors import BadConfig, RunFault, StudyChanged, WallShown
from agent.judge.judge import ModelJudge, QuestionForm
from agent.judge.model_under_cap import NO_CAP, guarded
from agent.judge.retry_limits import Patience, Streak, trailing
from agent.judge.spending_cap import ModelAccount, SpendingCap
from agent.models import load
from agent.models.base import Model
from agent.models.local_server import warmed
from agent.models.local_server.warm_model import hold_worker, open_encoder
from agent.models.paid_calls import CappedAccounts
from agent.provenance import provenance
from agent.run.environment import OpenedFeed, RunBrowser, open_feed
from agent.run.feed_order_vs_ledger import check_seen
from agent.run.live_indexer import StepIndexer
from agent.run.loop import RunLoop
from agent.run.loop_dependencies import RunTools, Watcher
from agent.run.pacing import PaceLimits, SlowHands, count_watched_today
from agent.run.progress import RunProgress
from agent.run.recorder import LedgerRecorder
from agent.run.site_canary import RunCanary
from agent.run.used_plug_ins import mark_run
from agent.run.yoked_control import YokedSchedule, schedule_yoke
from agent.run_config import RunConfig
from personas import strategies
from store.frames.frame_store import FrameStore
from store.jsonl.paths import remove_within
from store.runs.data_folder import DataFolder
from store.runs.ledger import Ledger, LedgerWriter, read, read_each
from store.runs.ledger_lines import Judgement, RunFinished, RunResumed, RunStarted, Step, Video
from store.runs.ledger_site_lines import describe_check
from store.runs.payment_book import PaymentBook

NO_LIMITS = PaceLimits()


class RunWatcher(Watcher, Protocol):
    """A watcher that is also told of the beginning."""

    def started(self, config: RunConfig, run_id: str, earlier: Sequence[Step]) -> None:
        """The run starts, or goes on after the earlier steps."""
        ...

    def doing(self, what: str) -> None:
        """Something that takes a while begins."""
        ...


class SilentWatcher:
    """An onlooker that says nothing."""

    def started(self, config: RunConfig, run_id: str, earlier: Sequence[Step]) -> None: ...

    def doing(self, what: str) -> None: ...

    def judged(self, video: Video, judgement: Judgement) -> None: ...

    def stepped(self, step: Step) -> None: ...

    def faulted(self, fault: RunFault, *, recovered: bool) -> None: ...

    def waiting(self, wall: WallShown) -> None: ...


@dataclass(frozen=True)
class LiveOptions:
    """What a run on a live site may do, which tells no runs apart."""

    limits: PaceLimits = NO_LIMITS
    patient: bool = False
    """Whether a wall is waited at."""
    renew_after: int = 0
    """Videos after which the browser is opened anew; 0: never."""


@dataclass(frozen=True)
class RunFolder:
    """Where a run is kept and what it is opened with."""

    data: DataFolder
    browser: browsers.BrowserBinary | None
    """``None`` where a recorded run is watched."""
    headed: bool = False
    fresh: bool = False
    """Start anew, also where an unfinished run has the same configuration."""
    encoder: str | None = "conse"
    """Encoder of the index; ``None`` leaves indexing to ``python -m store index``."""
    index_url: str | None = None
    cap: SpendingCap = NO_CAP
    """What the model may cost; a higher one resumes the same run."""
    live: LiveOptions = LiveOptions()


async def execute_run(
    config: RunConfig, folder: RunFolder, onlooker: RunWatcher, now: Callable[[], datetime]
) -> str:
    """Run to the end, or to the fault that ends it; return the run's id.

    The fault is in the ledger too, and the same call resumes the run.
    """
    former = None if folder.fresh else _unfinished(folder.data, config)
    run_id = former.started.run_id if former else _new_id(config, now())
    planned = _schedule(config, folder.data)
    onlooker.started(config, run_id, former.steps if former else ())
    progress = _progress(former, _former_videos(folder.data, config, run_id, onlooker))
    async with AsyncExitStack() as stack:
        stack.callback(_forget_unstarted, folder.data.ledger_path(run_id))
        writer = stack.enter_context(LedgerWriter(folder.data.ledger_path(run_id)))
        onlooker.doing("starting the viewer and the feed")
        await stack.enter_async_context(warmed(config.model))
        loading = asyncio.create_task(_load_judge(config))
        stack.callback(loading.cancel)
        run_browser = RunBrowser(folder.data, folder.browser, folder.headed)
        opened = await open_feed(config, run_browser, run_id, progress.position, stack)
        if former:
            opened.feed.resume(former.batches, former.seen)
        driver = opened.driver
        judge = await loading
        stack.push_async_callback(judge.close)
        if about := judge.model.about:
            onlooker.doing(about)
        _guard(judge, config, folder, former, run_id)
        if former:
            started = former.started
        else:
            started = _started(config, folder, run_id, opened, judge.model.fingerprint, now())
        resumed = _resumed(progress, config, folder, driver.browser, now())
        writer.append(resumed if former else started)
        indexer = _indexer(started, folder, judge)
        if indexer is not None:
            stack.push_async_callback(_finish_index, indexer, onlooker)
        recorder = LedgerRecorder(writer, FrameStore(folder.data.frames_dir), indexer, now)
        opened.feed.record_batches(recorder.batch)
        canary = RunCanary(config, folder.data, run_id, now)
        canary.attach(opened.feed, recorder, onlooker.doing)
        tools = RunTools(
            driver,
            opened.feed,
            judge,
            recorder,
            onlooker,
            now,
            planned,
            pacer=_pacer(config, folder, onlooker),
            patient=folder.live.patient,
            witness=opened.witness,
            renew_after=folder.live.renew_after,
        )
        loop = RunLoop(config, tools, progress, opened.url)
        with canary.watch_for_change(onlooker.doing):
            await _watch(loop, tools, progress, writer, onlooker)
    return run_id


async def _watch(
    loop: RunLoop,
    tools: RunTools,
    progress: RunProgress,
    writer: LedgerWriter,
    onlooker: RunWatcher,
) -> None:
    try:
        left_on_s = await loop.run()
        await _check(tools, writer, onlooker)
    except RunFault as fault:
        if tools.witness is None:  # the playground's would be asked while a video is open
            await _check(tools, writer, onlooker)
        onlooker.faulted(fault, recovered=False)
        await tools.recorder.fault(fault, progress.position, recovered=False)
        raise
    steps, eligible = progress.position, progress.eligible
    writer.append(RunFinished(at=tools.now(), steps=steps, eligible=eligible, left_on_s=left_on_s))


async def _check(tools: RunTools, writer: LedgerWriter, onlooker: RunWatcher) -> None:
    """Write what the site tells of the run, where it tells anything, and say what differs."""
    check = await check_seen(tools.witness, writer.path, tools.now)
    if check is None:
        return
    writer.append(check)
    if not check.agrees:
        onlooker.doing(f"the site's own counts differ: {describe_check(check)}")


def _pacer(config: RunConfig, folder: RunFolder, onlooker: RunWatcher) -> SlowHands | None:
    if config.pace is None:
        return None
    account, clock, watched = config.account, folder.live.limits.clock, 0
    damaged: list[str] = []
    if account:
        watched = count_watched_today(folder.data, config.platform, account, clock(), damaged)
    for problem in damaged:
        onlooker.doing(f"what a former run showed does not count towards today: {problem}")
    rng = np.random.default_rng([config.seed, 1])
    return SlowHands(config.pace, folder.live.limits, watched, rng, clock)


def _forget_unstarted(path: Path) -> None:
    """Remove the folder of a run that was refused before its first line."""
    if path.exists() and path.stat().st_size == 0:
        remove_within(path.parent.parent, path.parent)


async def _load_judge(config: RunConfig) -> ModelJudge:
    manner = QuestionForm(explain=config.explain, order=config.order)
    async with hold_worker(config.model, config.settings):
        loaded = await asyncio.to_thread(load, config.model, config.revision, config.settings)
    return ModelJudge.of(loaded, config.strategy, config.persona, manner)


def _guard(
    judge: ModelJudge, config: RunConfig, folder: RunFolder, former: Ledger | None, run_id: str
) -> None:
    """Hold the judge to what the run was begun with."""
    refuse_other_model(former.started if former else None, judge.model)
    _refuse_other_prompts(former, config.strategy)
    _refuse_changed_model(config, folder.data, judge.model.fingerprint)
    account = f"run/{run_id}"
    book = PaymentBook(folder.data.payments)
    if former:
        before = ModelAccount.of([*former.seen, *former.faults])
        book.carry(before.carried(account, former.started.at))
    judge.model = guarded(
        judge.model, folder.cap, CappedAccounts(book, (account,)), folder.data.replies_dir
    )
    judge.streak = _streak(config, former)


def _refuse_changed_model(config: RunConfig, data: DataFolder, fingerprint: str) -> None:
    """Refuse a model that is not the one of the study's earlier runs.

    The first run of a study freezes it, since only a loaded model has a fingerprint.

    Raises
    ------
    StudyChanged
        A run of the study had another model of this name.
    """
    if config.study is None:
        return
    for run in data.runs():
        started = run.started
        if started is None or started.config.get("study") != config.study:
            continue
        if started.model == config.model and started.fingerprint not in (None, fingerprint):
            raise StudyChanged(config.study, f"The model {config.model} has changed")


def _started(
    config: RunConfig,
    folder: RunFolder,
    run_id: str,
    opened: OpenedFeed,
    fingerprint: str,
    at: datetime,
) -> RunStarted:
    driver = opened.driver
    return RunStarted(
        run_id=run_id,
        at=at,
        persona=config.persona_record(),
        platform=config.platform,
        strategy=config.strategy,
        model=config.model,
        fingerprint=fingerprint,
        arm=config.arm,
        account=config.account or run_id,
        windows=config.windows,
        seed=config.seed,
        config=config.resolved(),
        config_hash=config.digest(),
        prompts=strategies.hashes(config.strategy),
        encoder=folder.encoder,
        driver=config.driver,
        browser=driver.browser,
        viewport=driver.viewport,
        locale=config.locale,
        signed_in=opened.signed_in,
        provenance=provenance().model_copy(update={"plug_ins": mark_run(config, folder.encoder)}),
    )


def _resumed(
    progress: RunProgress, config: RunConfig, folder: RunFolder, browser: str, at: datetime
) -> RunResumed:
    return RunResumed(
        at=at,
        position=progress.position,
        code_version=provenance().code_version,
        browser=browser,
        plug_ins=mark_run(config, folder.encoder),
    )


def _new_id(config: RunConfig, at: datetime) -> str:
    return f"{at:%Y%m%d-%H%M%S}-{config.persona.id}-{config.platform}-{secrets.token_hex(2)}"


def _unfinished(data: DataFolder, config: RunConfig) -> Ledger | None:
    digest = config.digest()
    for run in reversed(data.runs()):
        unfinished = run.started is not None and run.status == "interrupted"
        if unfinished and run.started and run.started.config_hash == digest:
            return read(run.path)
    return None


def _progress(former: Ledger | None, shown_before: frozenset[str]) -> RunProgress:
    progress = RunProgress(former=shown_before, open_step=former.open_step if former else None)
    for step in former.steps if former else ():
        progress.count(step)
    return progress


def refuse_other_model(started: RunStarted | None, model: Model) -> None:
    """Refuse to go on as another model of the same name; older ledgers declare none."""
    before = started.fingerprint if started else None
    if before not in (None, model.fingerprint):
        raise BadConfig(
            f"The run was begun by another {model.name} ({before}, now {model.fingerprint}), so it "
            "cannot go on. Type: the same command with --new"
        )


def _refuse_other_prompts(former: Ledger | None, strategy: str) -> None:
    """Refuse to go on with other words than the run was begun with."""
    if former and former.started.prompts != strategies.hashes(strategy):
        raise BadConfig(
            f"A prompt of the strategy {strategy} has changed since the run was begun, so it "
            "cannot go on. Type: the same command with --new"
        )


def _streak(config: RunConfig, former: Ledger | None) -> Streak:
    """Count on from the silences that the ledger ends with. Of a short run, all end it."""
    judged = [step.judgement.missing for step in former.seen if step.eligible] if former else []
    return Patience(in_a_row=config.max_missing).streak(config.windows.total, trailing(judged))


def _former_videos(
    data: DataFolder, config: RunConfig, run_id: str, onlooker: RunWatcher
) -> frozenset[str]:
    """Return what readable earlier runs of the account showed."""
    if config.account is None:
        return frozenset()
    mine = [
        run.path
        for run in data.runs()
        if run.started is not None
        and run.run_id != run_id
        and (run.started.platform, run.started.account) == (config.platform, config.account)
    ]
    damaged: list[str] = []
    seen = [step for run in read_each(mine, damaged) for step in run.seen]
    for problem in damaged:
        onlooker.doing(f"what a former run of the account showed counts as new: {problem}")
    return frozenset(step.video.id for step in seen if step.excluded != "not_shown")


def _schedule(config: RunConfig, data: DataFolder) -> YokedSchedule | None:
    """Return what a yoked run does, shuffled by the run's own seed: it resumes alike."""
    if config.yoke is None:
        return None
    rng = np.random.default_rng([config.seed, int.from_bytes(config.digest().encode(), "big")])
    return schedule_yoke(read(data.find_run(config.yoke)), config.windows, rng)


def _indexer(started: RunStarted, folder: RunFolder, judge: ModelJudge) -> StepIndexer | None:
    if folder.encoder is None:
        return None
    known = judge.vector_of if judge.encoder == folder.encoder else _no_vector
    load = partial(open_encoder, folder.encoder, judge.model.name)
    return StepIndexer(started, folder.data, load, known, folder.index_url)


async def _finish_index(indexer: StepIndexer, onlooker: RunWatcher) -> None:
    await indexer.finish()
    if indexer.problem is not None:
        onlooker.doing(f"not everything was indexed, and nothing is lost: {indexer.problem}")


def _no_vector(_frame: bytes) -> None:
    """Leave it to the encoder."""
