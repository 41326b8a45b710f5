"""One percentile of many histograms at once, and how far it may be off."""

from typing import NamedTuple

from app.core.analytics.arrays import Floats, np
from app.core.analytics.percentiles import BELOW_ALL_BUCKETS, DecodedHistograms
from app.core.rollups.latency_histogram import LOG_GROWTH


class Histograms(NamedTuple):
    """Counts by row and bucket; the first column is the bucket `lowest`."""

    counts: Floats
    lowest: int


class LogPercentiles(NamedTuple):
    """Natural logarithms, row by row; NaN where a row has no latencies or its percentile is zero.

    An end that is infinite cannot be told.
    """

    value: Floats
    low: Floats
    high: Floats


def by_row(decoded: DecodedHistograms, rows: int) -> Histograms:
    lowest = int(decoded.bucket.min(initial=0))
    width = int(decoded.bucket.max(initial=lowest)) - lowest + 1
    counts = np.bincount(decoded.owner * width + decoded.bucket - lowest, decoded.count, rows * width)
    return Histograms(counts.astype(np.float64, copy=False).reshape(rows, width), lowest)


def log_percentiles(histograms: Histograms, part: float, off: Floats | float = 0.0) -> LogPercentiles:
    """The percentile at `part` (0.95), and those at `part` less and more `off`, to the edges of their buckets.

    As `app.core.analytics.tail` says it of two versions; within its bucket as if that were filled evenly.
    """
    counts, lowest = histograms
    running = counts.cumsum(axis=1)
    total = running[:, -1]
    running = running / np.where(total > 0, total, np.nan)[:, None]
    rows = np.arange(len(running))
    off = np.broadcast_to(np.asarray(off, np.float64), total.shape)
    at = (running < part).sum(axis=1).clip(max=running.shape[1] - 1)
    below = np.where(at > 0, running[rows, at - 1], 0.0)
    filled = running[rows, at] - below
    within = np.divide(part - below, filled, out=np.full_like(filled, np.nan), where=filled > 0)
    known = (total > 0) & (lowest + at > BELOW_ALL_BUCKETS)
    first, last = ((running < edge[:, None]).sum(axis=1) for edge in (part - off, part + off))
    return LogPercentiles(
        np.where(known, LOG_GROWTH * (lowest + at - 1 + within), np.nan),
        np.where(off < part, LOG_GROWTH * (lowest + first - 1), -np.inf),
        np.where(off < 1 - part, LOG_GROWTH * (lowest + last), np.inf),
    )
