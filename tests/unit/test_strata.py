"""The difference of two versions against regressions from the raw values, by numpy and scipy."""

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pytest
from scipy.stats import ttest_ind

from app.core.analytics.confidence import multiplier, student
from app.core.analytics.strata import Cells, Contrast, Pair, contrast

ALPHA = 0.0125
Floats = npt.NDArray[np.float64]


class Raw(NamedTuple):
    """Values of both versions; `is_candidate` says of which."""

    values: Floats
    is_candidate: npt.NDArray[np.bool_]
    stratum: npt.NDArray[np.intp]
    block: npt.NDArray[np.intp]


def raw(seed: int, *, size: int = 3_000, strata: int = 24, blocks: int = 10, shock: float = 0.0) -> Raw:
    """Strata and versions have their own levels, and so has what a version does in a block."""
    generator = np.random.default_rng(seed)
    stratum, block = generator.integers(strata, size=size), generator.integers(blocks, size=size)
    is_candidate = generator.random(size) < (stratum + 1) / (strata + 1)
    values = generator.normal(stratum * 2.0 + 50, 3) + 0.4 * is_candidate
    shocks = generator.normal(0, shock, (2, blocks))
    return Raw(values + shocks[is_candidate.astype(int), block], is_candidate, stratum, block)


def pair(data: Raw) -> Pair:
    cells = []
    for version in (False, True):
        places = np.unique(np.stack([data.stratum, data.block], 1)[data.is_candidate == version], axis=0)
        parts = [
            data.values[(data.is_candidate == version) & (data.stratum == stratum) & (data.block == block)]
            for stratum, block in places
        ]
        count, mean, deviation = (
            np.array([float(of(each)) for each in parts])
            for of in (len, np.mean, lambda part: len(part) * np.var(part))
        )
        cells.append(Cells(places[:, 0], places[:, 1], count, mean, deviation))
    return Pair(cells[0], cells[1], int(data.stratum.max()) + 1, int(data.block.max()) + 1)


def found(data: Raw, *, is_ratio: bool = False, days_apart: bool = False) -> Contrast:
    result = contrast(pair(data), alpha=ALPHA, is_ratio=is_ratio, days_apart=days_apart)
    assert result is not None
    return result


def independent_error(result: Contrast) -> float:
    return (result.interval.high - result.interval.estimate) / result.standard_errors


def without_strata(data: Raw, values: Floats) -> Floats:
    """What is left when the mean of each stratum is taken out."""
    return values - (np.bincount(data.stratum, values) / np.bincount(data.stratum))[data.stratum]


def test_in_one_stratum_it_is_the_difference_of_means_with_welchs_error():
    data = raw(1, strata=1)
    result = found(data)
    ours, theirs = data.values[data.is_candidate], data.values[~data.is_candidate]
    assert result.interval.estimate == pytest.approx(ours.mean() - theirs.mean())
    welch = ttest_ind(ours, theirs, equal_var=False)
    assert result.interval.estimate / independent_error(result) == pytest.approx(float(welch.statistic))


def test_over_strata_it_is_the_coefficient_of_a_regression_with_an_effect_for_each_stratum():
    data = raw(2)
    design = np.column_stack([data.is_candidate, np.eye(24)[data.stratum]]).astype(float)
    coefficient = np.linalg.lstsq(design, data.values)[0][0]
    assert found(data).interval.estimate == pytest.approx(coefficient)
    # pooling would blame the candidate for its busy hours
    assert data.values[data.is_candidate].mean() - data.values[~data.is_candidate].mean() > 10 * coefficient


def test_the_scatter_of_days_is_that_of_a_sandwich_by_clusters():
    """Liang and Zeger, Biometrika 73, 1986, with the correction for few clusters."""
    data = raw(3, blocks=12, shock=2.0)
    result = found(data, days_apart=True)
    share = without_strata(data, data.is_candidate.astype(float))
    rest = without_strata(data, data.values) - result.interval.estimate * share
    scores = np.bincount(data.block, share * rest)
    error = math.sqrt(scores @ scores * 12 / 11) / (share @ share)
    assert error > 3 * independent_error(result)
    reach = student(multiplier(result.interval.events, ALPHA), 11) * error
    assert result.interval.high - result.interval.estimate == pytest.approx(reach)


def test_a_ratio_is_that_of_the_weighted_means_and_its_error_the_one_of_resamples():
    data = raw(4, size=800, strata=4, blocks=2)
    result = found(data, is_ratio=True)
    assert result.interval.estimate == pytest.approx(math.log(result.means[1] / result.means[0]))
    generator = np.random.default_rng(5)
    groups = [np.flatnonzero(2 * data.stratum + data.is_candidate == group) for group in range(8)]
    resampled = []
    for _ in range(150):
        chosen = np.concatenate([generator.choice(group, len(group)) for group in groups])
        resampled.append(found(Raw(*(each[chosen] for each in data)), is_ratio=True).interval.estimate)
    assert np.std(resampled) == pytest.approx(independent_error(result), rel=0.2)


@pytest.mark.parametrize("is_ratio", [False, True])
def test_bunches_widen_the_interval_side_by_side(is_ratio: bool):
    alone, bunched = raw(6, blocks=150), raw(6, blocks=150, shock=3.0)
    widths = [found(each, is_ratio=is_ratio).standard_errors for each in (alone, bunched)]
    normal = multiplier(found(alone).interval.events, ALPHA)
    assert normal <= widths[0] < 1.1 * normal
    assert widths[1] > 1.5 * normal


def test_strata_of_one_version_alone_tell_nothing():
    data = raw(7)
    extra = Raw(*(np.append(each, more) for each, more in zip(data, (1e6, True, 24, 0), strict=True)))
    assert found(extra).interval == found(data).interval
    apart = Raw(data.values, data.is_candidate, data.stratum + 24 * data.is_candidate, data.block)
    assert contrast(pair(apart), alpha=ALPHA, is_ratio=False, days_apart=False) is None


@pytest.mark.parametrize("is_ratio", [False, True])
@pytest.mark.parametrize("per_stratum", [1, 4])
def test_equal_values_leave_room_for_the_rare_one_that_differs(is_ratio: bool, per_stratum: int):
    for size in (100, 1_000):
        stratum = np.arange(2 * size) // (2 * per_stratum)
        data = Raw(np.full(2 * size, 0.8), np.arange(2 * size) % 2 == 1, stratum, stratum)
        result = found(data, is_ratio=is_ratio)
        one_of_them = (1.0 if is_ratio else 0.8) / size * math.sqrt(2)
        assert result.interval.estimate == pytest.approx(0, abs=1e-12)
        assert independent_error(result) == pytest.approx(one_of_them)
        reach = result.interval.high / (1 if is_ratio else 0.8)
        assert reach > 0.03 if size == 100 else reach < 0.02


def test_a_measure_that_is_always_zero_is_equal():
    stratum = np.zeros(200, np.intp)
    result = found(Raw(np.zeros(200), np.arange(200) % 2 == 1, stratum, stratum))
    assert (result.interval.low, result.interval.high) == (0, 0)
