"""How a range differs from the same hours before, each prompt compared with itself.

Where a prompt with long answers is used more, all answers together take longer though no prompt is slower. So prompts
are compared one by one, and then averaged with a fixed mix: the weight n₁n₀/(n₁ + n₀) of a prompt with n₁ values now
and n₀ in the past is the same on both sides, as for the strata of `app.core.analytics.strata`.

A difference is clear where its interval, the confidence sequence of `app.core.analytics.confidence`, excludes that
nothing has changed. Its standard error is that of the events and of the days (`app.core.analytics.day_scatter`): how
the days of the four weeks before the range scatter around their weekdays, beyond what their events explain.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from app.core.analytics.arrays import Floats, Integers, np
from app.core.analytics.confidence import multiplier
from app.core.analytics.day_scatter import Scatter, grown, reach, rest_of, scatter, so_many
from app.core.analytics.prompt_days import DAYS_OF_A_WEEK, Daily, Measure
from app.core.queries.prompt_days import PromptWindow


@dataclass(frozen=True, slots=True)
class Side:
    """A measure of the range or of its past, by prompt."""

    count: Floats
    mean: Floats
    deviation: Floats


@dataclass(frozen=True, slots=True)
class Contrasts:
    """Rows are prompts, and the last one their mix.

    `estimate`: the difference, or the natural logarithm of the ratio; 0 where there is nothing to compare. `reach`: by
    how much it may be off; `errors`: how many of the standard errors of independent events that is. `weight`: of
    prompts in the mix. `counts`: values of past and range. `events`: as of `Interval`.
    """

    estimate: Floats
    reach: Floats
    errors: Floats
    weight: Floats
    counts: tuple[Floats, Floats]
    events: Floats


def side_of(windows: Sequence[PromptWindow], prompt: Integers, prompts: int, measure: Measure) -> Side:
    """`prompt`: the row of each window."""
    columns = {
        "cost_usd": [(each.cost_count, each.cost_mean, each.cost_deviation) for each in windows],
        "latency_ms": [(each.latency_count, each.latency_mean, each.latency_deviation) for each in windows],
        "score": [(each.score_count, each.score_mean, each.score_deviation) for each in windows],
    }[measure]
    table = np.zeros((3, prompts))
    table[:, prompt] = np.array(columns, np.float64).reshape(-1, 3).T
    return Side(*table)


def contrasts(
    past: Side, now: Side, usual: Daily, *, length: timedelta, windows: int, alphas: tuple[float, float], is_ratio: bool
) -> Contrasts:
    """What the range has more than its past.

    `usual`: whole weeks before the range, of the same prompts. `length` is that of the range, `windows` the number of
    times that the past adds up. `alphas`: of a prompt, and of the mix.
    """
    weight = past.count * now.count / np.maximum(past.count + now.count, 1)
    share = weight / max(float(weight.sum()), 1e-300)
    old, new = (np.append(side.mean, share @ side.mean) for side in (past, now))
    known = np.append(weight > 0, weight.any())
    if is_ratio:
        known &= (old > 0) & (new > 0)
    scale_old, scale_new = (np.where(known & is_ratio, each, 1) for each in (old, new))
    estimate = np.where(known, np.log(scale_new / scale_old) if is_ratio else new - old, 0)
    chance = _variance(past, share) / scale_old**2 + _variance(now, share) / scale_new**2
    days = _excess(usual, share, scale_old)
    length_days = max(length / timedelta(days=1), 1)
    spread = grown(days.correlation, length_days) / length_days * (1 + 1 / windows)
    events = 4 * np.append(weight, weight.sum())
    normal = np.array(
        [multiplier(max(each, 1), alphas[at == len(weight)]) for at, each in enumerate(events.tolist())], np.float64
    )
    off = so_many(reach(normal, days.degrees), np.sqrt(chance + days.variance * spread))
    errors = np.divide(off, np.sqrt(chance), out=np.full_like(off, np.inf), where=chance > 0)
    counts = [np.append(side.count, (side.count * (weight > 0)).sum()) for side in (past, now)]
    return Contrasts(estimate, np.where(known, off, np.inf), errors, share, (counts[0], counts[1]), events)


def _variance(side: Side, share: Floats) -> Floats:
    """Of the mean of each prompt, and of the mix, as independent events would have it."""
    single = side.deviation / np.maximum(side.count * (side.count - 1), 1)
    return np.append(single, share**2 @ single)


def _excess(usual: Daily, share: Floats, scale: Floats) -> Scatter:
    """How days scatter, prompts and mix, beyond what is chance of their events."""
    shape = (len(share), usual.count.shape[1] // DAYS_OF_A_WEEK, DAYS_OF_A_WEEK)
    count, mean = usual.count.reshape(shape), usual.mean.reshape(shape)
    total = np.maximum(count.sum(axis=1, keepdims=True), 1)
    rest = rest_of(mean, (count * mean).sum(axis=1, keepdims=True) / total) * (count > 0)
    chance = usual.deviation / np.maximum(usual.count * (usual.count - 1), 1)
    flat = [each.reshape(len(share), usual.count.shape[1]) for each in (rest, count, count / total)]
    rests, weights, leverages = (np.vstack((each, share @ each)) for each in flat)
    weights[-1] = share @ (flat[1] > 0)
    rests /= scale[:, None]
    found = scatter(rests, weights, leverages)
    part = weights / np.maximum(weights.sum(axis=1, keepdims=True), 1e-300)
    explained = (part * np.vstack((chance, share**2 @ chance))).sum(axis=1) / scale**2
    return found._replace(variance=np.maximum(found.variance - explained, 0))
