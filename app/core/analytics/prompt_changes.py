"""What of a range has changed: the findings of all prompts together, and of each. Pure."""

import math
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

from app.core.analytics.arrays import Floats, Integers, np
from app.core.analytics.comparison import ALPHA, NONE_SET, Margins, ProjectMargins
from app.core.analytics.confidence import Interval
from app.core.analytics.day_scatter import so_many
from app.core.analytics.decision import Finding
from app.core.analytics.mix import Contrasts, contrasts, side_of
from app.core.analytics.past import Past
from app.core.analytics.percentile_rows import Histograms, LogPercentiles, by_row, log_percentiles
from app.core.analytics.percentiles import DecodedHistograms, decode_histograms
from app.core.analytics.prompt_days import MEASURES, PromptDays, days_of
from app.core.queries.prompt_days import PromptWindow

ChangeMeasure = Literal["cost_usd", "score", "latency_p50_ms", "latency_p95_ms"]
OF_MIX: tuple[ChangeMeasure, ...] = ("cost_usd", "score", "latency_p50_ms", "latency_p95_ms")
OF_PROMPT: tuple[ChangeMeasure, ...] = ("cost_usd", "score", "latency_p95_ms")

_AROUND = 2.0
"""Between so many standard errors to either side of a percentile its own error is read off."""

Changes = Mapping[ChangeMeasure, Finding]


class _Found(NamedTuple):
    """A measure of prompts and, last, of their mix."""

    contrasts: Contrasts
    intervals: list[Interval | None]


def changes_of(
    old: Sequence[PromptWindow],
    new: Sequence[PromptWindow],
    days: PromptDays,
    past: Past,
    margins: ProjectMargins = NONE_SET,
) -> tuple[Changes, dict[int, Changes]]:
    """Of the mix, and of each prompt by its key: what the `new` windows differ by from the `old` ones.

    All claims of either together may be chance in ALPHA of looks.
    """
    keys = sorted({window.prompt_key for window in new})
    kept = [window for window in old if window.prompt_key in set(keys)]
    found = _found((kept, new), keys, days_of(days, keys), past)

    def changes(at: int, measures: Sequence[ChangeMeasure], margins: Margins) -> Changes:
        margin = _by_measure(margins)
        return {
            measure: Finding(
                interval,
                (int(found[measure].contrasts.counts[0][at]), int(found[measure].contrasts.counts[1][at])),
                margin[measure],
                lower_is_better=measure != "score",
                is_ratio=measure != "score",
            )
            for measure in measures
            if (interval := found[measure].intervals[at])
        }

    by_prompt = {
        key: changes(at, OF_PROMPT, own) for at, (key, own) in enumerate(zip(keys, margins.of(keys), strict=True))
    }
    return changes(len(keys), OF_MIX, margins.whole), by_prompt


def _by_measure(margins: Margins) -> dict[ChangeMeasure, float]:
    """Natural logarithms, but for the score."""
    return {
        "cost_usd": math.log1p(margins.of("cost_usd")),
        "score": margins.of("score"),
        "latency_p50_ms": math.log1p(margins.of("latency_ms")),
        "latency_p95_ms": math.log1p(margins.of("latency_p95_ms")),
    }


def _found(
    windows: tuple[Sequence[PromptWindow], Sequence[PromptWindow]], keys: Sequence[int], days: PromptDays, past: Past
) -> dict[ChangeMeasure, _Found]:
    row = {key: at for at, key in enumerate(keys)}
    rows = [np.array([row[each.prompt_key] for each in side], np.intp) for side in windows]
    cost, latency, score = (
        contrasts(
            side_of(windows[0], rows[0], len(keys), measure),
            side_of(windows[1], rows[1], len(keys), measure),
            days.measures[measure],
            length=past.seen.end - past.seen.start,
            windows=len(past.windows),
            alphas=(ALPHA / (len(OF_PROMPT) * max(len(keys), 1)), ALPHA / len(OF_MIX)),
            is_ratio=measure == "cost_usd",
        )
        for measure in MEASURES
    )
    sides = [_latencies(side, at, len(keys)) for side, at in zip(windows, rows, strict=True)]
    return {
        "cost_usd": _Found(cost, _intervals(cost)),
        "score": _Found(score, _intervals(score)),
        "latency_p50_ms": _Found(latency, _percentiles(sides, latency, 0.5)),
        "latency_p95_ms": _Found(latency, _percentiles(sides, latency, 0.95)),
    }


def _intervals(of: Contrasts) -> list[Interval | None]:
    columns = zip(of.estimate.tolist(), of.reach.tolist(), of.events.tolist(), strict=True)
    return [Interval(middle, middle - off, middle + off, events) if events else None for middle, off, events in columns]


class _Latencies(NamedTuple):
    """Histograms of prompts, and how many values they have."""

    histograms: Histograms
    values: Floats

    def percentiles(self, part: float, errors: Floats | float) -> LogPercentiles:
        """With what is so many standard errors of independent events off."""
        chance = np.sqrt(part * (1 - part) / np.maximum(self.values, 1))
        return log_percentiles(self.histograms, part, so_many(np.broadcast_to(errors, chance.shape), chance))


def _latencies(windows: Sequence[PromptWindow], row: Integers, prompts: int) -> _Latencies:
    decoded = decode_histograms([each.latency_histogram or b"" for each in windows])
    histograms = by_row(DecodedHistograms(row[decoded.owner], decoded.bucket, decoded.count), prompts)
    return _Latencies(histograms, histograms.counts.sum(axis=1))


def _percentiles(sides: Sequence[_Latencies], latency: Contrasts, part: float) -> list[Interval | None]:
    """Of prompts as `app.core.analytics.tail` puts two percentiles together; of the mix, their average."""
    old, new = (side.percentiles(part, latency.errors[:-1]) for side in sides)
    middle = new.value - old.value
    low = middle - np.hypot(new.value - new.low, old.high - old.value)
    high = middle + np.hypot(new.high - new.value, old.value - old.low)
    columns = zip(*(each.tolist() for each in (middle, low, high, latency.events[:-1])), strict=True)
    of_prompts = [Interval(*ends) if ends[-1] and not math.isnan(ends[0]) else None for ends in columns]
    return [*of_prompts, _of_mix(sides, latency, middle, part)]


def _of_mix(sides: Sequence[_Latencies], latency: Contrasts, middle: Floats, part: float) -> Interval | None:
    """The average of what prompts differ by; those with too few latencies to tell how far they may be off do not count.

    A percentile of all prompts together would lie in the gap between the fast ones and the slow ones, and leap.
    """
    around = [side.percentiles(part, _AROUND) for side in sides]
    errors = np.hypot(*((each.high - each.low) / (2 * _AROUND) for each in around))
    weight = np.where(np.isfinite(errors) & np.isfinite(middle), latency.weight, 0)
    total = float(weight.sum())
    if not total:
        return None
    weight /= total
    estimate = float(weight @ np.where(weight > 0, middle, 0))
    error = math.sqrt(float(weight**2 @ np.where(weight > 0, errors, 0) ** 2))
    off = float(latency.errors[-1]) * error if error else math.inf
    return Interval(estimate, estimate - off, estimate + off, float(latency.events[-1]))
