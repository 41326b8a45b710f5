"""The last of some weeks against those before it, weekday by weekday, for many prompts at once."""

from dataclasses import dataclass

from app.core.analytics.arrays import Booleans, Floats, np
from app.core.analytics.day_scatter import grown, reach, rest_of, scatter
from app.core.analytics.decision import FEWEST_EVENTS
from app.core.analytics.prompt_days import DAYS_OF_A_WEEK, Daily


@dataclass(frozen=True, slots=True)
class Shift:
    """What the last week has more than the weeks before, row by row.

    `estimate`: the difference of means, or the logarithm of their ratio; 0 where there is nothing to compare.
    `strength`: how many standard errors that is, which are known with so many `degrees` of freedom. `fewest`: the
    number of values of the side that has fewer.
    """

    estimate: Floats
    before: Floats
    after: Floats
    strength: Floats
    degrees: Floats
    fewest: Floats

    def is_clear(self, normal: float) -> Booleans:
        """Where it is more than so many standard errors, with enough events to tell."""
        clear: Booleans = (self.fewest >= FEWEST_EVENTS) & (self.strength > reach(normal, self.degrees))
        return clear


def week_shift(daily: Daily, *, is_ratio: bool) -> Shift:
    """Of whole weeks. A weekday that the last week or those before lack does not count."""
    count, mean, deviation = (_by_week(each) for each in (daily.count, daily.mean, daily.deviation))
    old, new = count[:, :-1].sum(axis=1), count[:, -1]
    weight = old * new / np.maximum(old + new, 1)
    fewest = (np.minimum(old, new) * (weight > 0)).sum(axis=1)
    weight /= np.maximum(weight.sum(axis=1, keepdims=True), 1)
    before = (weight * (count[:, :-1] * mean[:, :-1]).sum(axis=1) / np.maximum(old, 1)).sum(axis=1)
    after = (weight * mean[:, -1]).sum(axis=1)
    known = (before > 0) & (after > 0) if is_ratio else weight.any(axis=1)
    scale_before, scale_after = (np.where(known & is_ratio, each, 1) for each in (before, after))
    estimate = np.where(known, np.log(scale_after / scale_before) if is_ratio else after - before, 0)
    # the last week as if nothing had changed
    level = mean / scale_before[:, None, None]
    level[:, -1] = mean[:, -1] / scale_after[:, None] - (0 if is_ratio else estimate[:, None])
    part = np.concatenate((count[:, :-1] / np.maximum(old, 1)[:, None], (new > 0)[:, None]), axis=1) * weight[:, None]
    scale = np.concatenate((np.repeat(scale_before[:, None], count.shape[1] - 1, 1), scale_after[:, None]), axis=1)
    independent = (part**2 * deviation / np.maximum(count * (count - 1), 1) / scale[..., None] ** 2).sum(axis=(1, 2))
    error, degrees = _error_of_days(level, count * (weight > 0)[:, None], part)
    error = np.sqrt(np.maximum(error, independent))
    size = np.abs(estimate)
    strength = np.divide(size, error, out=np.where(size > 0, np.inf, 0.0), where=error > 0)
    return Shift(estimate, before, after, strength, degrees, fewest)


def _error_of_days(level: Floats, count: Floats, part: Floats) -> tuple[Floats, Floats]:
    """The variance of the difference as days show it, and its degrees of freedom. `part`: of a day in its side."""
    total = np.maximum(count.sum(axis=1, keepdims=True), 1)
    rest = rest_of(level, (count * level).sum(axis=1, keepdims=True) / total)
    found = scatter(_flat(rest), _flat(count), _flat(count / total), also_taken=1)
    sides = ((part[:, :-1], part[:, :-1].size // max(len(part), 1)), (part[:, -1:], DAYS_OF_A_WEEK))
    factor = sum((side**2).sum(axis=(1, 2)) * grown(found.correlation, days) for side, days in sides)
    return found.variance * factor, found.degrees


def _by_week(days: Floats) -> Floats:
    """By row, week and weekday."""
    return days.reshape(len(days), days.shape[1] // DAYS_OF_A_WEEK, DAYS_OF_A_WEEK)


def _flat(weeks: Floats) -> Floats:
    return weeks.reshape(len(weeks), weeks.shape[1] * DAYS_OF_A_WEEK)
