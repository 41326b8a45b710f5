"""Which prompts have moved against their own past: the last 7 complete UTC days against the 28 before.

Each weekday is compared with the same weekday, and what may be chance is told by how days scatter
(`app.core.analytics.day_scatter`). All is looked at anew with each complete day and never in between, so that a month
has at most 31 looks. By Bonferroni an unchanged prompt is named in at most one of a hundred months: ALPHA is divided by
looks and measures. That what is named also matters, the margins of versions say.

The 95th percentile of latency is looked at through counts, as in `app.core.analytics.tail`: how many latencies are
above the percentile that their weekday had in all five weeks, which is a mean like others, and right for few events.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import log1p
from statistics import NormalDist
from typing import Literal

from app.core.analytics.arrays import np
from app.core.analytics.comparison import NONE_SET, ProjectMargins
from app.core.analytics.percentile_rows import by_row, log_percentiles
from app.core.analytics.percentiles import DecodedHistograms
from app.core.analytics.prompt_days import DAYS_OF_A_WEEK, Daily, PromptDays
from app.core.analytics.week_shift import Shift, week_shift
from app.core.rollups.latency_histogram import LOG_GROWTH

WEEKS = 5
"""The last one, and those before."""
ALPHA = 0.01
"""The probability that an unchanged prompt is named in a month."""
LOOKS_OF_A_MONTH = 31
P95 = 0.95

MovedMeasure = Literal["cost_usd", "latency_p95_ms", "score"]
MOVED_MEASURES: tuple[MovedMeasure, ...] = ("cost_usd", "latency_p95_ms", "score")
_NORMAL = NormalDist().inv_cdf(1 - ALPHA / LOOKS_OF_A_MONTH / len(MOVED_MEASURES) / 2)


@dataclass(frozen=True, slots=True)
class Moved:
    """A measure of a prompt that has moved: `estimate` is of the logarithm of the ratio, of score the difference.

    `before` and `after`: the mean (cost: US dollars for each event) or the percentile (ms) of the weeks before and of
    the last one. `size`: how many times what matters at least.
    """

    prompt_key: int
    measure: MovedMeasure
    estimate: float
    before: float
    after: float
    size: float

    @property
    def is_worse(self) -> bool:
        return (self.estimate < 0) == (self.measure == "score")


def moved(days: PromptDays, margins: ProjectMargins = NONE_SET) -> list[Moved]:
    """In the order of prompts and measures. `days` are WEEKS whole weeks."""
    of_prompts = margins.of(days.keys.tolist())
    cost, score = (
        week_shift(days.measures[measure], is_ratio=measure == "cost_usd") for measure in ("cost_usd", "score")
    )
    found = [
        *_named(days, "cost_usd", cost, [log1p(each.of("cost_usd")) for each in of_prompts]),
        *_named(days, "latency_p95_ms", _p95_shift(days), [log1p(each.of("latency_p95_ms")) for each in of_prompts]),
        *_named(days, "score", score, [each.of("score") for each in of_prompts]),
    ]
    return sorted(found, key=lambda each: (each.prompt_key, MOVED_MEASURES.index(each.measure)))


def _named(days: PromptDays, measure: MovedMeasure, shift: Shift, margins: Sequence[float]) -> list[Moved]:
    clear = shift.is_clear(_NORMAL) & (np.abs(shift.estimate) > np.array(margins))
    return [
        Moved(
            int(days.keys[at]),
            measure,
            estimate,
            float(shift.before[at]),
            float(shift.after[at]),
            abs(estimate) / margins[at],
        )
        for at in np.flatnonzero(clear).tolist()
        for estimate in (float(shift.estimate[at]),)
    ]


def _p95_shift(days: PromptDays) -> Shift:
    """Whether the part above the common percentile moved, and how far the percentile itself."""
    prompts, decoded = len(days.keys), days.histograms
    prompt, day = np.divmod(decoded.owner, days.days)
    weekday = prompt * DAYS_OF_A_WEEK + day % DAYS_OF_A_WEEK
    common = by_row(DecodedHistograms(weekday, decoded.bucket, decoded.count), prompts * DAYS_OF_A_WEEK)
    is_above = decoded.bucket > np.rint(log_percentiles(common, P95).high / LOG_GROWTH)[weekday]
    shape = (prompts, days.days)
    count, above = (
        np.bincount(decoded.owner, counts, prompts * days.days).astype(np.float64, copy=False).reshape(shape)
        for counts in (decoded.count, decoded.count * is_above)
    )
    part = above / np.maximum(count, 1)
    shift = week_shift(Daily(count, part, count * part * (1 - part)), is_ratio=False)
    is_after = day >= days.days - DAYS_OF_A_WEEK
    halves = by_row(DecodedHistograms(2 * prompt + is_after, decoded.bucket, decoded.count), 2 * prompts)
    before, after = log_percentiles(halves, P95).value.reshape(-1, 2).T
    difference = np.nan_to_num(after - before)
    agrees = np.sign(difference) == np.sign(shift.estimate)
    return replace(shift, estimate=np.where(agrees, difference, 0), before=np.exp(before), after=np.exp(after))
