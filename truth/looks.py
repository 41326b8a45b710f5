"""What the product would have been shown at a look: the cells of the rollups, as `select_version_cells` gives them."""

import numpy as np

from app.core.analytics.arrays import Floats, Integers
from app.core.analytics.evidence import DAY_SECONDS, HOUR_SECONDS, WEEK_SECONDS, Arm, Evidence, Values
from app.core.analytics.evidence_reading import HOURS_THAT_SHOW_SCATTER
from app.core.analytics.percentiles import DecodedHistograms
from app.core.rollups.time_range import MINUTES_KEPT
from truth.events import Events

MINUTE_SECONDS = 60
NO_HISTOGRAMS = DecodedHistograms(np.empty(0, np.intp), np.empty(0, np.intp), np.empty(0))


def side_by_side(events: Events, seen: int) -> Evidence:
    """Of the first so many events of two versions."""
    hours = _cells(events, 0, seen, 0, HOUR_SECONDS), _cells(events, 0, seen, 1, HOUR_SECONDS)
    newer = int(np.argmax(events.version[:seen] == 1))
    start = int(events.seconds[newer]) // HOUR_SECONDS * HOUR_SECONDS
    hours = hours[0].between(start, 2**60), hours[1]
    common = len(np.intersect1d(hours[0].seconds, hours[1].seconds))
    fine = None
    if (
        common < HOURS_THAT_SHOW_SCATTER
        and events.seconds[seen - 1] - start < MINUTES_KEPT.total_seconds() - HOUR_SECONDS
    ):
        minutes = [_cells(events, 0, seen, each, MINUTE_SECONDS) for each in (0, 1)]
        fine = minutes[0].between(start, 2**60), minutes[1]
    return Evidence("side_by_side", hours, (start, start), fine)


def before_after(events: Events, seen: int, switch_seconds: int) -> Evidence:
    """Of versions that followed one another.

    The newer one's first hour is left out, and the spans are whole days, or whole weeks from the second week on.
    """
    length = int(events.seconds[seen - 1]) // HOUR_SECONDS * HOUR_SECONDS - switch_seconds
    period = WEEK_SECONDS if length > WEEK_SECONDS else DAY_SECONDS
    begin = switch_seconds - period * max(1, -(-length // period))
    first = int(np.searchsorted(events.seconds, begin))
    after = _cells(events, first, seen, 1, HOUR_SECONDS).between(switch_seconds + HOUR_SECONDS, 2**60)
    phases = begin, switch_seconds + HOUR_SECONDS
    return Evidence("before_after", (_cells(events, first, seen, 0, HOUR_SECONDS), after), phases)


def _cells(events: Events, first: int, seen: int, version: int, length: int) -> Arm:
    own = np.flatnonzero(events.version[first:seen] == version) + first
    starts = events.seconds[own] // length * length
    if not len(own):
        return Arm(np.empty(0, np.intp), np.empty(0), {m: _no_values() for m in events.values}, NO_HISTOGRAMS)
    begins = np.flatnonzero(np.diff(starts, prepend=-1))
    counts = np.diff(begins, append=len(own)).astype(np.float64)
    values = {measure: _values(each[own], begins, counts) for measure, each in events.values.items()}
    histograms = _histograms(events.bucket[own], counts) if length == HOUR_SECONDS else NO_HISTOGRAMS
    return Arm(starts[begins], counts, values, histograms)


def _no_values() -> Values:
    return Values(np.empty(0), np.empty(0), np.empty(0))


def _values(values: Floats, begins: Integers, counts: Floats) -> Values:
    means = np.add.reduceat(values, begins) / counts
    deviations = (values - np.repeat(means, counts.astype(np.intp))) ** 2
    return Values(counts, means, np.add.reduceat(deviations, begins))


def _histograms(bucket: Integers, counts: Floats) -> DecodedHistograms:
    owner = np.repeat(np.arange(len(counts)), counts.astype(np.intp))
    lowest, width = int(bucket.min()), int(np.ptp(bucket)) + 1
    held = np.bincount(owner * width + bucket - lowest, minlength=len(counts) * width)
    places = np.flatnonzero(held)
    return DecodedHistograms(places // width, places % width + lowest, held[places].astype(np.float64))
