"""The first table: I_avg of each model on each platform, never without its null and the sway."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from analysis.data.exposures import RunInfo
from analysis.errors import NothingToCompare
from analysis.estimators.iavg import Group
from analysis.estimators.strategy_contrasts import (
    ISQ,
    SIMPLE,
    StrategyContrast,
    isq_minus_simple,
)
from analysis.estimators.study_results import Result
from analysis.report.number_sources import (
    MINUS,
    Name,
    NumberSource,
    PrintedEstimate,
    TracedNumber,
)
from analysis.report.page_files import Cell, ReportTable
from analysis.report.row_uses import AccountedRows
from analysis.report.verdict_words import ARM_NAMES
from store.terminal.printing import count_of

PLATFORMS = {"tiktok": "TikTok", "youtube": "YouTube", "instagram": "Instagram"}
"""The paper's platforms, in its order."""
STRATEGY_NAMES = {SIMPLE: "Simple", ISQ: "ISQ"}
PAPER = "Value-Spectrum (ACL 2025, arXiv 2411.11479)"
READING_ERROR = 1
"""Points by which a figure that was read off may be wrong, about."""
PAPER_I_AVG: dict[str, dict[str, tuple[float, float, float]]] = {
    SIMPLE: {
        "GPT-4o": (55, -4, -10),
        "Gemini 1.5 Pro": (10.5, 9, -18),
        "Claude 3.5": (-21.5, -9, 6),
        "Qwen-VL-Plus": (3, -1.5, -14),
        "CogVLM": (13, 5, -8),
    },
    ISQ: {
        "GPT-4o": (11, 12, 16),
        "Gemini 1.5 Pro": (51.9, 17, 6),
        "Claude 3.5": (26, 35, 8.5),
        "Qwen-VL-Plus": (-2, -2, -6),
        "CogVLM": (4, 4, 0.6),
    },
}
"""I_avg in % that Value-Spectrum reports, by ``PLATFORMS``; read off its figure."""


@dataclass(frozen=True)
class IAvgCell:
    """One model on one platform: I_avg, what chance gives, and the sway of the same runs."""

    i_avg: TracedNumber
    low: TracedNumber
    high: TracedNumber
    mean: TracedNumber
    defined: TracedNumber
    personas: TracedNumber
    sway: PrintedEstimate
    contrast: PrintedEstimate | None  # the sway less its control's; ``None`` without a control


@dataclass(frozen=True)
class ContrastCell:
    """ISQ minus Simple of one model on one platform."""

    sway: PrintedEstimate
    change: PrintedEstimate
    personas: TracedNumber
    defined: TracedNumber


@dataclass(frozen=True)
class IAvgBlock:
    """One strategy: a row a model, with a cell or nothing for each platform."""

    strategy: Name
    rows: tuple[tuple[Name, tuple[IAvgCell | None, ...]], ...]
    controlled: bool  # whether any sway has a control
    published: tuple[tuple[Name, tuple[TracedNumber | None, ...]], ...]


@dataclass(frozen=True)
class IAvgTable:
    """The whole table, and ISQ minus Simple where both were asked."""

    platforms: tuple[Name, ...]
    blocks: tuple[IAvgBlock, ...]
    contrasts: tuple[tuple[Name, tuple[ContrastCell | None, ...]], ...]
    control: str  # arm that the sways are held against; empty where there is none

    @property
    def gaps(self) -> bool:
        """Whether some model did not watch some platform of the table."""
        return any(None in cells for block in self.blocks for _, cells in block.rows)


def i_avg_table(results: Sequence[Result], rows: AccountedRows) -> IAvgTable:
    """Put the table together of the treatment runs; ``NothingToCompare`` where there are none."""
    groups = treated(results)
    if not groups:
        raise NothingToCompare(
            "No treatment run was watched, and I_avg is of these. "
            "Type: python -m analysis iavg STUDY"
        )
    ours = dict.fromkeys(sorted((one.platform for one in groups), key=_platform_rank))
    platforms = tuple(dict.fromkeys([*ours, *PLATFORMS]))
    strategies = dict.fromkeys(sorted((one.strategy for one in groups), key=_strategy_rank))
    contrasts = {(one.platform, one.model): one for one in isq_minus_simple(groups)}
    controls = {contrast.control for result in results for contrast in result.contrasts[:1]}
    return IAvgTable(
        platforms=tuple(Name(PLATFORMS.get(one, one)) for one in platforms),
        blocks=tuple(_block(one, platforms, results, rows) for one in strategies),
        contrasts=tuple(
            (
                Name(model),
                tuple(_contrast_cell(contrasts.get((one, model)), rows) for one in platforms),
            )
            for model in dict.fromkeys(model for _, model in contrasts)
        ),
        control=" or ".join(ARM_NAMES[one] for one in sorted(controls)),
    )


def treated(results: Sequence[Result]) -> list[Group]:
    """I_avg of the treatment runs of each platform, strategy and model."""
    return [one for result in results for one in result.averages if one.arm == "treatment"]


def _platform_rank(platform: str) -> tuple[int, str]:
    return [*PLATFORMS, platform].index(platform), platform


def _strategy_rank(strategy: str) -> tuple[int, str]:
    return [*STRATEGY_NAMES, strategy].index(strategy), strategy


def _block(
    strategy: str, platforms: Sequence[str], results: Sequence[Result], rows: AccountedRows
) -> IAvgBlock:
    cells = {
        (result.platform, result.model): _cell(result, one, rows)
        for result in results
        for one in result.averages
        if one.strategy == strategy and one.arm == "treatment"
    }
    models = sorted({model for _, model in cells})
    return IAvgBlock(
        strategy=Name(STRATEGY_NAMES.get(strategy, strategy)),
        rows=tuple(
            (Name(model), tuple(cells.get((one, model)) for one in platforms)) for model in models
        ),
        controlled=any(cell.contrast is not None for cell in cells.values()),
        published=tuple(
            (Name(model), tuple(_published(strategy, model, one) for one in platforms))
            for model in PAPER_I_AVG.get(strategy, {})
        ),
    )


def _cell(result: Result, one: Group, rows: AccountedRows) -> IAvgCell:
    mine = [index for index, run in enumerate(rows.views.runs) if _is_of(run, one)]
    source = rows.source("analysis.estimators.iavg.iavg", rows.of(mine))
    null = NumberSource(
        "analysis.statistics.null_models.null_of_i",
        f"{count_of(one.null.draws, 'draw')} from: {source.used}",
        source.left_out,
    )
    contrast = None
    if result.contrasts:
        told = result.contrasts[0]
        ids = {run for pair in told.pairs for run in pair}
        paired = [index for index, run in enumerate(rows.views.runs) if run.run_id in ids]
        over = rows.source("analysis.estimators.contrasts.treatment_minus_control", rows.of(paired))
        contrast = over.estimate(told.estimate, f"{_told(one)}: sway less the control's")
    what = f"{_told(one)}: I_avg in %"
    return IAvgCell(
        i_avg=source.signed(one.i_avg, what, "undefined for every persona"),
        low=null.signed(one.null.low, f"{what}: lower end of what chance gives", one.null.reason),
        high=null.signed(one.null.high, f"{what}: upper end of what chance gives", one.null.reason),
        mean=null.signed(one.null.mean, f"{what}: mean of what chance gives", one.null.reason),
        defined=source.count(len(one.personas) - one.undefined, f"{what}: personas that have I"),
        personas=source.count(len(one.personas), f"{what}: personas"),
        sway=source.estimate(one.sway, f"{_told(one)}: sway, after minus before"),
        contrast=contrast,
    )


def _contrast_cell(told: StrategyContrast | None, rows: AccountedRows) -> ContrastCell | None:
    if told is None:
        return None
    mine = [
        index
        for index, run in enumerate(rows.views.runs)
        if run.strategy in STRATEGY_NAMES
        and (run.platform, run.model, run.arm) == (told.platform, told.model, "treatment")
    ]
    function = "analysis.estimators.strategy_contrasts.isq_minus_simple"
    source = rows.source(function, rows.of(mine))
    what = f"{told.platform}, {told.model}: ISQ minus Simple"
    return ContrastCell(
        sway=source.estimate(told.sway, f"{what}, sway"),
        change=source.estimate(told.change, f"{what}, I in points of its %", source.signed),
        personas=source.count(told.personas, f"{what}: personas under both"),
        defined=source.count(told.personas - told.undefined, f"{what}: personas with I under both"),
    )


def _published(strategy: str, model: str, platform: str) -> TracedNumber | None:
    if platform not in PLATFORMS:
        return None
    value = PAPER_I_AVG[strategy][model][list(PLATFORMS).index(platform)]
    source = NumberSource(
        "analysis.paper.i_avg_table.PAPER_I_AVG",
        f"{PAPER}: its figure of I_avg, read off to about ±{READING_ERROR}",
    )
    what = f"{PLATFORMS[platform]}, {strategy}, {model}: I_avg in % that the paper reports"
    return TracedNumber(value, f"{value:+g}".replace("-", MINUS), what, source)


def _is_of(run: RunInfo, one: Group) -> bool:
    mine = (one.platform, one.strategy, one.model, one.arm)
    return (run.platform, run.strategy, run.model, run.arm) == mine


def _told(one: Group) -> str:
    return f"{one.platform}, {one.strategy}, {one.model}"


def i_avg_rows(results: Sequence[Result]) -> ReportTable:
    """The same as rows of a file, unrounded, the paper's beneath."""
    columns = [
        "source",
        "platform",
        "strategy",
        "model",
        "i_avg",
        "null_mean",
        "null_low",
        "null_high",
        "percentile",
        "personas",
        "undefined",
        "sway",
        "sway_low",
        "sway_high",
        "runs",
        "control",
        "minus_control",
        "minus_control_low",
        "minus_control_high",
        "pairs",
    ]
    rows: list[tuple[Cell, ...]] = []
    for result in results:
        contrast = next(iter(result.contrasts), None)
        over = contrast.estimate if contrast else None
        for one in treated([result]):
            null, sway = one.null, one.sway
            held = (over.value, over.low, over.high, over.clusters) if over else (None,) * 4
            rows.append(
                (
                    "this study",
                    *(one.platform, one.strategy, one.model, one.i_avg),
                    *(null.mean, null.low, null.high, null.percentile),
                    *(len(one.personas), one.undefined),
                    *(sway.value, sway.low, sway.high, sum(each.runs for each in one.personas)),
                    contrast.control if contrast else None,
                    *held,
                )
            )
    rows += [
        (PAPER, platform, strategy, model, float(value), *(None,) * (len(columns) - 5))
        for strategy, models in PAPER_I_AVG.items()
        for model, values in models.items()
        for platform, value in zip(PLATFORMS, values, strict=True)
    ]
    return ReportTable("i_avg", tuple(columns), rows)


def contrast_rows(results: Sequence[Result]) -> ReportTable:
    columns = [
        "platform",
        "model",
        "measure",
        "unit",
        "value",
        "low",
        "high",
        "p",
        "df",
        "personas",
        "method",
        "reason",
    ]
    rows: list[tuple[Cell, ...]] = [
        (
            *(one.platform, one.model, name, told.unit, told.value, told.low, told.high),
            *(told.p, told.df, told.clusters, told.method, told.reason),
        )
        for one in isq_minus_simple(treated(results))
        for name, told in (("sway", one.sway), ("i", one.change))
    ]
    return ReportTable("isq_minus_simple", tuple(columns), rows)
