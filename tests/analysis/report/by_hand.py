"""Recomputes the example study's figures from the JSON of its ledgers, with numpy and scipy alone.

Nothing of the product is imported: a formula that is wrong there is not repeated here. Figures go
by the name that ``numbers.csv`` gives them.
"""

from __future__ import annotations

import itertools
import json
import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Row = dict[str, Any]
Figures = dict[str, float]
Values = NDArray[np.float64]
ARMS, WINDOWS = ("treatment", "passive"), ("before", "after")
BATCH = 12


@dataclass(frozen=True)
class Run:
    """One ledger: its first line, its steps, and what was asked about them again."""

    first: Row
    steps: list[Row]
    finished: bool
    asked: list[Row]

    def window(self, phase: str) -> list[Row]:
        """Eligible steps of one window."""
        return [step for step in self.steps if step["phase"] == phase and not step["excluded"]]

    @property
    def changed_at(self) -> int:
        """Position of the first step after the before window."""
        return int(next(step["position"] for step in self.steps if step["phase"] != "before"))

    def compared(self, phase: str, without: int = 0) -> list[Row]:
        """Steps of a window that could react, less so many batches after the change."""
        if phase == "before":
            return self.window(phase)
        later = (s["video"]["batch"] for s in self.steps if s["position"] >= self.changed_at)
        dropped = list(dict.fromkeys(later))[:without]
        return [
            step
            for step in self.window(phase)
            if step["video"]["batch_requested_at"] >= self.changed_at
            and step["video"]["batch"] not in dropped
        ]


Study = dict[tuple[str, str], Run]
"""Runs by persona and arm."""


def read_json(folder: Path) -> Study:
    """Read every ledger of a data folder, and the judgements beside it."""
    study = {}
    for path in sorted(folder.glob("runs/*/ledger.jsonl")):
        lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        again = [
            json.loads(line)
            for file in path.parent.glob("judgements/*.jsonl")
            for line in file.read_text(encoding="utf-8").splitlines()
        ]
        steps = [line for line in lines if line["kind"] == "step"]
        asked = [line for line in again if line["kind"] == "asked"]
        first, finished = lines[0], lines[-1]["kind"] == "run_finished"
        study[first["persona"]["id"], first["arm"]] = Run(first, steps, finished, asked)
    return study


# Shares and intervals


def answers(steps: Sequence[Row]) -> Values:
    """1 for yes and 0 for no, of the steps that have an answer."""
    said = [step["judgement"]["answer"] for step in steps]
    return np.array([float(one == "yes") for one in said if one], dtype=float)


def share(steps: Sequence[Row]) -> float:
    """Share of yes in %."""
    return 100 * float(answers(steps).mean())


def mean(values: Sequence[float]) -> float:
    return float(np.mean(values))


def student(name: str, values: Sequence[float] | Values) -> Figures:
    """Mean and Student's t interval over independent values; no interval where they are equal."""
    mean, se = float(np.mean(values)), float(stats.sem(values))
    return spread(name, mean, se, len(values) - 1)


def spread(name: str, value: float, se: float, df: float) -> Figures:
    """A value with the ends of its interval."""
    told = {name: value}
    if se > 1e-12 * max(1, abs(value)):
        half = float(stats.t.ppf(0.975, df)) * se
        told |= {f"{name}: lower end": value - half, f"{name}: upper end": value + half}
    return told


def left_out(statistic: Callable[[list[Any]], float], parts: Sequence[Any]) -> tuple[float, float]:
    """A statistic and its jackknife standard error."""
    without = [statistic([*parts[:at], *parts[at + 1 :]]) for at in range(len(parts))]
    spread_ = np.array(without) - np.mean(without)
    return statistic(list(parts)), math.sqrt((len(parts) - 1) / len(parts) * spread_ @ spread_)


def sway(run: Run, without: int = 0) -> float:
    """After minus before in the share of yes, in pp."""
    return share(run.compared("after", without)) - share(run.compared("before"))


def pairs(study: Study) -> list[tuple[str, Run, Run]]:
    """Treatment and control of each persona."""
    personas = sorted({persona for persona, _ in study})
    return [(one, study[one, "treatment"], study[one, "passive"]) for one in personas]


def over_batches(run: Run) -> tuple[float, float, float]:
    """Sway of one run, its standard error over batches, and its degrees of freedom."""
    steps = [
        (step["video"]["batch"], phase, step)
        for phase in WINDOWS
        for step in run.compared(phase)
        if step["judgement"]["answer"]
    ]

    def of(batches: list[int]) -> float:
        kept = [(phase, step) for batch, phase, step in steps if batch in batches]
        late, early = (
            [step for phase, step in kept if phase == name] for name in ("after", "before")
        )
        return share(late) - share(early)

    batches = sorted({batch for batch, _, _ in steps})
    value, se = left_out(of, batches)
    df = len(batches) - 2
    wider = math.hypot(se, math.sqrt(wandered(run)))
    freedom = df * (wider / se) ** 4
    if stats.t.ppf(0.975, freedom) * wider < stats.t.ppf(0.975, df) * se:
        return value, se, df  # never narrower than batches alone
    return value, wider, freedom


def places(run: Run) -> tuple[list[tuple[str, int]], Values, Values]:
    """Window and batch of each answered step; its mean place by batch, and their correlation."""
    steps = [(w, s) for w in WINDOWS for s in run.compared(w) if s["judgement"]["answer"]]
    of = [(window, int(step["video"]["batch"])) for window, step in steps]
    at = np.array(
        [np.mean([s["position"] for _, s in steps if s["video"]["batch"] == b]) for _, b in of]
    )
    return of, at, np.exp(-np.abs(np.subtract.outer(at, at)) / 100)


def wandered(run: Run) -> float:
    """Variance of the sway of a feed that wanders as real ones do, in pp^2, answer by answer."""
    of, _, alike = places(run)
    shares = {window: share(run.compared(window)) / 100 for window in WINDOWS}
    sizes = {window: sum(w == window for w, _ in of) for window in WINDOWS}
    sign = {"before": -1, "after": 1}
    weight = np.array([sign[w] * math.sqrt(shares[w] * (1 - shares[w])) / sizes[w] for w, _ in of])
    return float(1e4 * 0.023 * weight @ alike @ weight)


# The page, from the top


def everything(study: Study) -> Figures:
    """Every figure of the page that is not drawn at random, and no setting."""
    parts = (
        headline,
        by_persona,
        curve,
        averages,
        choices,
        pictures,
        feeds,
        uses,
        missing,
        losses,
        judging,
        blind,
        matrix,
    )
    told: Figures = {}
    for part in parts:
        told |= part(study)
    return told


def headline(study: Study) -> Figures:
    name = "the sway, treatment minus control"
    differences = [sway(one) - sway(other) for _, one, other in pairs(study)]
    flips = itertools.product((1, -1), repeat=len(differences))
    means = np.array([np.mean(np.multiply(signs, differences)) for signs in flips])
    seen = abs(np.mean(differences)) * (1 - 1e-12)
    bounds = [np.subtract(extremes(one), extremes(other)[::-1]) for _, one, other in pairs(study)]
    low, high = np.mean(bounds, axis=0)
    test = stats.ttest_1samp(differences, 0)
    whole = student("mean sway over runs", differences)
    judged = sum(len(answers(run.compared(w))) for run in study.values() for w in WINDOWS)
    return (
        student(name, differences)
        | whole
        | {
            f"p-value of {name}, Student's t over pairs, two-sided": float(test.pvalue),
            f"p-value of {name}, exchanging the arms within pairs, two-sided": float(
                (abs(means) >= seen).mean()
            ),
            f"lower bound of {name} for missing answers": low,
            f"upper bound of {name} for missing answers": high,
            "mean sway over runs: independent units": len(differences),
            "personas": len({persona for persona, _ in study}),
            "runs": len(study),
            "judged videos": judged,
        }
    )


def extremes(run: Run) -> tuple[float, float]:
    """Least and largest sway that the missing answers allow."""
    (before, after) = (run.compared(window) for window in WINDOWS)
    yes = [answers(steps).sum() for steps in (before, after)]
    lost = [len(steps) - len(answers(steps)) for steps in (before, after)]
    low = yes[1] / len(after) - (yes[0] + lost[0]) / len(before)
    high = (yes[1] + lost[1]) / len(after) - yes[0] / len(before)
    return 100 * low, 100 * high


def by_persona(study: Study) -> Figures:
    told: Figures = {}
    for persona, one, other in pairs(study):
        for whose, run in ((f"treatment of {persona}", one), (f"control of {persona}", other)):
            told |= {f"share of yes {w}, {whose}": share(run.compared(w)) for w in WINDOWS}
        (a, se_a, df_a), (b, se_b, df_b) = over_batches(one), over_batches(other)
        variance = se_a**2 + se_b**2  # Welch and Satterthwaite
        df = variance**2 / (se_a**4 / df_a + se_b**4 / df_b)
        told |= spread(f"sway of {persona}", a - b, math.sqrt(variance), df)
    return told


def curve(study: Study) -> Figures:
    told: Figures = {}
    start = 0
    for phase in ("before", "adapt", "after"):
        length = max(len(run.window(phase)) for run in study.values())
        edges = np.linspace(0, length, max(1, round(length / BATCH)) + 1).round().astype(int)
        for first, last in itertools.pairwise(edges.tolist()):
            place = f"videos {start + first + 1} to {start + last} ({phase})"
            told |= {f"first of {place}": start + first + 1, f"last of {place}": start + last}
            for arm in ARMS:
                bins = [run.window(phase)[first:last] for run in of_arm(study, arm)]
                shares = [share(steps) for steps in bins if len(answers(steps))]
                told |= student(f"share of yes, {arm}, {place}", shares)
        start += length
    return told


def of_arm(study: Study, arm: str) -> list[Run]:
    return [run for (_, whose), run in study.items() if whose == arm]


def averages(study: Study) -> Figures:
    told: Figures = {}
    for arm in ARMS:
        runs = of_arm(study, arm)
        changes = [100 * sway(run) / share(run.compared("before")) for run in runs]
        told |= {
            f"I_avg in %, {arm}": float(np.mean(changes)),
            f"personas where I is defined, {arm}": len(changes),
            f"personas, {arm}": len(runs),
        }
    return told


def choices(study: Study) -> Figures:
    named = (
        "as declared",
        "without the first batch",
        "without the first two batches",
        "without the first three batches",
    )
    told: Figures = {}
    for without, name in enumerate(named):
        differences = [sway(a, without) - sway(b, without) for _, a, b in pairs(study)]
        told |= student(f"sway, {name}", differences)
    graded = [graded_sway(one) - graded_sway(other) for _, one, other in pairs(study)]
    return told | student("graded sway, points of a hundred", graded)


def graded_sway(run: Run) -> float:
    before, after = (
        [s["judgement"]["p_yes"] for s in run.compared(window) if s["judgement"]["answer"]]
        for window in WINDOWS
    )
    return 100 * float(np.mean(after) - np.mean(before))


def pictures(study: Study) -> Figures:
    return {
        f"videos of {persona} with {answer} that were drawn from": sum(
            step["judgement"]["answer"] == answer for step in one.compared("after")
        )
        for persona, one, _ in pairs(study)
        for answer in ("yes", "no")
    }


# What was shown and watched


def feeds(study: Study) -> Figures:
    sample = min(len(run.window(window)) for run in study.values() for window in WINDOWS)
    told: Figures = {"videos in a sample": sample}
    for arm, window in itertools.product(ARMS, WINDOWS):
        runs = of_arm(study, arm)
        place = f"{arm}, {window}"
        told |= {
            f"videos that count, {place}": sum(len(run.window(window)) for run in runs),
            f"share of yes, {place}": mean([share(run.compared(window)) for run in runs]),
            f"share of yes without repeats, {place}": mean(
                [share([s for s in run.compared(window) if not s["repeat"]]) for run in runs]
            ),
            f"repeats, {place}": mean([repeats(run, window) for run in runs]),
            f"creators, {place}": mean([creators(run, window, sample) for run in runs]),
            f"near-duplicates, {place}": mean([alike(run, window) for run in runs]),
            f"shared videos, {place}": mean(
                [shared(*two, window) for two in itertools.combinations(runs, 2)]
            ),
        }
    for arm in ARMS:
        told |= dwells(of_arm(study, arm), arm)
    return told


def repeats(run: Run, window: str) -> float:
    shown = [s for s in run.steps if s["phase"] == window and s["excluded"] in (None, "repeat")]
    again = [s["excluded"] == "repeat" or bool(s["repeat"]) for s in shown]
    return 100 * mean([float(one) for one in again])


def creators(run: Run, window: str, sample: int) -> float:
    """Creators expected in a sample drawn without replacement, by the hypergeometric law."""
    counts = Counter(step["video"]["author"] for step in run.window(window))
    total = counts.total()
    return sum(1 - math.comb(total - n, sample) / math.comb(total, sample) for n in counts.values())


def alike(run: Run, window: str) -> float:
    """Share of frames within 4 bits of an earlier one that is itself like none before it."""
    leaders: list[int] = []
    twins = {}
    for step in run.steps:
        phash = int(step["frames"][0]["phash"], 16)
        twins[step["position"]] = any((phash ^ other).bit_count() <= 4 for other in leaders)
        if not twins[step["position"]]:
            leaders.append(phash)
    return 100 * float(np.mean([twins[step["position"]] for step in run.window(window)]))


def shared(one: Run, other: Run, window: str) -> float:
    ids = [{step["video"]["id"] for step in run.window(window)} for run in (one, other)]
    return 100 * len(ids[0] & ids[1]) / min(map(len, ids))


def dwells(runs: Sequence[Run], arm: str) -> Figures:
    means = {
        answer: float(np.mean([np.mean(list(watched(run, arm, answer))) for run in runs]))
        for answer in ("yes", "no")
    }
    told = {f"seconds watched after {answer}, {arm}": mean for answer, mean in means.items()}
    return told | {f"after yes over after no, {arm}": means["yes"] / means["no"]}


def watched(run: Run, arm: str, answer: str) -> Iterator[float]:
    """Delivered dwells; of treatment runs, those that an answer decided."""
    for step in run.steps:
        decided = arm != "treatment" or step["phase"] != "before"
        if not step["excluded"] and decided and step["judgement"]["answer"] == answer:
            yield step["reaction"]["dwell_s"]


# What does not count


def uses(study: Study) -> Figures:
    told: Figures = {}
    for arm in ARMS:
        counts: Counter[str] = Counter()
        for run in of_arm(study, arm):
            compared = [step for window in WINDOWS for step in run.compared(window)]
            for step in run.steps:
                if step["excluded"]:
                    counts[step["excluded"]] += 1
                elif step["phase"] == "adapt":
                    counts["adapt window"] += 1
                elif step not in compared:
                    counts["requested before the change"] += 1
                elif step["judgement"]["answer"] is None:
                    counts[f"no answer ({step['judgement']['missing']})"] += 1
                else:
                    counts[step["phase"]] += 1
        told |= {f"{use}, {arm}": count for use, count in counts.items()}
        told[f"videos shown, {arm}"] = counts.total()
    return told


def missing(study: Study) -> Figures:
    told: Figures = {}
    for arm in ARMS:
        runs = of_arm(study, arm)
        steps = {w: [step for run in runs for step in run.compared(w)] for w in WINDOWS}
        lost = {window: len(steps[window]) - len(answers(steps[window])) for window in WINDOWS}
        low, high = np.mean([extremes(run) for run in runs], axis=0)
        told |= {f"missing {window}, {arm}": lost[window] for window in WINDOWS} | {
            f"missing answers, {arm}": 100 * sum(lost.values()) / sum(map(len, steps.values())),
            f"sway, {arm}": float(np.mean([sway(run) for run in runs])),
            f"lower bound for missing answers, {arm}": low,
            f"upper bound for missing answers, {arm}": high,
        }
    return told


def losses(study: Study) -> Figures:
    told: Figures = {}
    table = []
    for arm in ARMS:
        complete = [run.finished for run in of_arm(study, arm)]
        table.append([sum(complete), len(complete) - sum(complete)])
        told |= {
            f"runs that were to be, {arm}": len(complete),
            f"runs begun, {arm}": len(complete),
            f"runs with both windows in full, {arm}": sum(complete),
            f"complete runs in %, {arm}": 100 * float(np.mean(complete)),
        }
    return told | {"Fisher's exact test": float(stats.fisher_exact(table).pvalue)}


# Judged again, blind


def asked(study: Study) -> list[tuple[str, Row, Row]]:
    """Owner of the run, its step and the question, for every question about a compared video."""
    found = []
    for owner, one, _ in pairs(study):
        steps = {step["position"]: step for window in WINDOWS for step in one.compared(window)}
        found += [(owner, steps[line["position"]], line) for line in one.asked]
    return found


def is_plain(line: Row) -> bool:
    return not (line["mirrored"] or line["repeat"] or line["paraphrase"])


def judging(study: Study) -> Figures:
    lines = asked(study)
    said = {
        (owner, line["persona"], line["position"]): line["judgement"]["answer"] == "yes"
        for owner, _, line in lines
        if is_plain(line)
    }
    mirrored, again = (
        [
            (
                owner,
                said[owner, line["persona"], line["position"]],
                line["judgement"]["answer"] == "yes",
            )
            for owner, _, line in lines
            if line[kind]
        ]
        for kind in ("mirrored", "repeat")
    )
    owners = sorted({owner for owner, _, _ in lines})
    bias = [
        100 * mean([float(a) + float(b) - 1 for owner, a, b in mirrored if owner == whose])
        for whose in owners
    ]
    first, second = (np.array([pair[at] for pair in again]) for at in (1, 2))
    chance = first.mean() * second.mean() + (1 - first.mean()) * (1 - second.mean())
    equal = float((first == second).mean())
    same = "the same question again"
    return student("acquiescence bias, mean over runs", bias) | {
        "questions": len(lines),
        "stored frames asked about": len({line["frame"] for _, _, line in lines}),
        "yes to the question": 100 * float(np.mean([a for _, a, _ in mirrored])),
        "yes to its reverse-keyed form": 100 * float(np.mean([b for _, _, b in mirrored])),
        "different answers to the two": 100 * float(np.mean([a != b for _, a, b in mirrored])),
        "questions answered both ways": len(mirrored),
        f"equal answers in %, {same}": 100 * equal,
        f"questions answered twice, {same}": len(again),
        f"Cohen's kappa, {same}": (equal - chance) / (1 - chance),
    }


def blind(study: Study) -> Figures:
    both: dict[str, list[tuple[str, float, float]]] = {}
    for owner, step, line in asked(study):
        acted, later = step["judgement"]["answer"], line["judgement"]["answer"]
        if is_plain(line) and line["persona"] == owner and acted and later:
            row = (step["phase"], 100.0 * (acted == "yes"), 100.0 * (later == "yes"))
            both.setdefault(owner, []).append(row)

    def change(rows: list[tuple[str, float, float]], at: int) -> float:
        after, before = ([float(r[at]) for r in rows if r[0] == w] for w in ("after", "before"))
        return mean(after) - mean(before)

    acting, scored = ([change(rows, at) for rows in both.values()] for at in (1, 2))
    lenience = [mean([a - b for _, a, b in rows]) for rows in both.values()]
    return (
        student("acting minus blind share of yes, mean over runs", lenience)
        | student("sway as the acting judge saw it", acting)
        | student("sway the feed's part: the same videos, scored blind", scored)
        | student("sway the judge's part: the rest", np.subtract(acting, scored))
        | {"videos answered by both": sum(map(len, both.values()))}
    )


def cell(lines: list[tuple[str, Row, Row]], window: str, value: Callable[[Row], float]) -> Values:
    """Mean value of the plain answers, by persona asked and owner of the run."""
    personas = sorted({owner for owner, _, _ in lines})
    size = len(personas)
    total, count = np.zeros((size, size)), np.zeros((size, size))
    for owner, step, line in lines:
        if is_plain(line) and step["phase"] == window and line["judgement"]["answer"]:
            at = personas.index(line["persona"]), personas.index(owner)
            total[at] += value(line["judgement"])
            count[at] += 1
    return np.asarray(total / count)


def matrix(study: Study) -> Figures:
    lines = asked(study)
    personas = [persona for persona, _, _ in pairs(study)]
    before, after = (
        cell(lines, w, lambda told: 100.0 * (told["answer"] == "yes")) for w in WINDOWS
    )
    early, late = (cell(lines, w, lambda told: 100.0 * told["p_yes"]) for w in WINDOWS)
    told = {
        f"{one} in the feed of {other}, yes in %": after[i, j]
        for (i, one), (j, other) in itertools.product(enumerate(personas), repeat=2)
    }
    plain = [line for _, _, line in lines if is_plain(line)]
    for whose, kept in (("own", True), ("other", False)):
        cells = [line for o, _, line in lines if is_plain(line) and (line["persona"] == o) == kept]
        lost = np.mean([line["judgement"]["answer"] is None for line in cells])
        told[f"missing answers in %, {whose} cells"] = 100 * float(lost)
    assert len(plain) == len(personas) * len({(o, line["position"]) for o, _, line in lines})
    named = ("specific sway", "p-value, permuting which run belongs to whom, two-sided")
    return (
        told
        | specific(named, after, before)
        | specific(
            (
                "specific sway of the graded answers, points",
                "p-value of the specific sway of the graded answers, two-sided",
            ),
            late,
            early,
        )
        | specific(
            ("placebo, the before windows alone", "p-value of the placebo, two-sided"), before, None
        )
        | {
            "slope of the after on the before deviations": slope(after, before),
            "assignments of runs to personas": math.factorial(len(personas)),
            "overlap of tastes": overlap(lines, personas),
        }
        | spread("borrowed sway", *borrowed(lines, before, after))
    )


def centred(cells: Values) -> Values:
    return np.asarray(
        cells - cells.mean(0, keepdims=True) - cells.mean(1, keepdims=True) + cells.mean()
    )


def slope(after: Values, before: Values) -> float:
    early, late = centred(before), centred(after)
    return float((early * late).sum() / (early**2).sum())


def specific(named: tuple[str, str], after: Values, before: Values | None) -> Figures:
    """The specific sway with its jackknife, and its exact permutation test."""
    size = len(after)

    def of(kept: list[int], order: Sequence[int] | None = None) -> float:
        part = np.ix_(kept, kept)
        cells = centred(after[part])
        if before is not None:
            cells = cells - slope(after[part], before[part]) * centred(before[part])
        cells = cells if order is None else cells[:, order]
        own = np.trace(cells)
        return float(own / len(kept) - (cells.sum() - own) / (len(kept) * (len(kept) - 1)))

    value, se = left_out(of, list(range(size)))
    every = [of(list(range(size)), order) for order in itertools.permutations(range(size))]
    p = float((np.abs(every) >= abs(value) - 1e-9).mean())
    return spread(named[0], value, se, size - 1) | {named[1]: p}


def overlap(lines: list[tuple[str, Row, Row]], personas: Sequence[str]) -> float:
    """Cross-yes over own repeated yes, each less the base rate."""
    tables: list[dict[tuple[str, str, int], float]] = [{}, {}]
    for owner, _, line in lines:
        if not line["mirrored"] and line["judgement"]["answer"]:
            key = line["persona"], owner, line["position"]
            tables[line["repeat"]][key] = float(line["judgement"]["answer"] == "yes")
    once, again = tables
    base = {p: np.mean([said for key, said in once.items() if key[0] == p]) for p in personas}
    cross, steady = [], []
    for j in personas:
        liked = [key[1:] for key, said in once.items() if key[0] == j and said]
        twice = [again[j, *item] for item in liked if (j, *item) in again]
        steady.append(np.mean(twice) - base[j])
        cross += [np.mean([once[i, *item] for item in liked]) - base[i] for i in personas if i != j]
    return float(np.mean(cross) / np.mean(steady))


def borrowed(
    lines: list[tuple[str, Row, Row]], before: Values, after: Values
) -> tuple[float, float, int]:
    """The sway against the shrunk base of MEASUREMENT's formula: value, standard error, df."""
    personas = sorted({owner for owner, _, _ in lines})
    within = np.array([np.mean([share_variance(lines, i, j) for j in personas]) for i in personas])

    def of(kept: list[int]) -> float:
        others = len(kept) - 1
        m0, v = before[np.ix_(kept, kept)], within[kept]
        rest = [np.delete(row, i) for i, row in enumerate(m0)]
        tau = max(0.0, float(np.mean([row.var(ddof=1) for row in rest] - v)))
        shrunk = (tau + v) / others
        weight = (tau + shrunk) / (tau + v + shrunk)
        base = weight * np.diag(m0) + (1 - weight) * [row.mean() for row in rest]
        return float((np.diag(after)[kept] - base).mean())

    return *left_out(of, list(range(len(personas)))), len(personas) - 1


def share_variance(lines: list[tuple[str, Row, Row]], persona: str, owner: str) -> float:
    """Variance in pp^2 of a before share from the spread of its batches (ratio estimator)."""
    batches: dict[int, list[float]] = {}
    for whose, step, line in lines:
        mine = whose == owner and line["persona"] == persona and is_plain(line)
        if mine and step["phase"] == "before" and line["judgement"]["answer"]:
            said = float(line["judgement"]["answer"] == "yes")
            batches.setdefault(step["video"]["batch"], []).append(said)
    total = sum(map(len, batches.values()))
    mean = sum(map(sum, batches.values())) / total
    square = sum(((sum(said) - len(said) * mean) / total) ** 2 for said in batches.values())
    return 1e4 * square * len(batches) / (len(batches) - 1)


# What chance gives, drawn anew answer by answer: at the rate that each run's before window tells,
# in feeds that wander; batches are uncorrelated here


def redraw(run: Run, rng: np.random.Generator, draws: int) -> tuple[Values, Values]:
    """Shares of yes before and after in %, as if nothing had happened."""
    of, _, alike = places(run)
    said = answers(run.compared("before"))
    rate = stats.beta(said.sum() + 0.5, (1 - said).sum() + 0.5).rvs(draws, random_state=rng)
    drift = rng.multivariate_normal(np.zeros(len(of)), alike, draws, method="eigh")
    rates = np.clip(rate[:, None] + np.sqrt(0.023 * rate * (1 - rate))[:, None] * drift, 0, 1)
    yes = rng.random(rates.shape) < rates
    before, after = (100 * yes[:, [w == name for w, _ in of]].mean(1) for name in WINDOWS)
    return before, after


def null_of_average(study: Study, arm: str, rng: np.random.Generator) -> tuple[float, float, float]:
    """Both ends and the mean of I_avg where nothing happens."""
    drawn = [redraw(run, rng, 20_000) for run in of_arm(study, arm)]
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = [np.where(before > 0, after / before - 1, np.nan) for before, after in drawn]
    average = 100 * np.nanmean(ratios, axis=0)
    return *np.quantile(average, [0.025, 0.975]).tolist(), float(average.mean())


def null_of_contrast(study: Study, rng: np.random.Generator) -> tuple[float, float]:
    """Both ends of the mean difference in sway where nothing happens."""
    drawn = {key: redraw(run, rng, 20_000) for key, run in study.items()}
    signs = {"treatment": 1, "passive": -1}
    total = sum(signs[arm] * (after - before) for (_, arm), (before, after) in drawn.items())
    low, high = np.quantile(2 * total / len(study), [0.025, 0.975]).tolist()
    return low, high
