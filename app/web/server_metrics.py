"""What a scrape reads from Redis and PostgreSQL.

Where one of them does not answer, its `up` is 0 and its values are absent.
"""

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from app.core.database import ConnectionPool, connection_from
from app.core.errors import DatabaseUnavailable, RedisFull, RedisUnavailable
from app.core.operations import metrics as names
from app.core.queries.losses import select_loss
from app.core.queries.overflows import count_events_under_other
from app.core.queries.status import count_dead_letters, select_events_stored, select_partition_days
from app.core.queries.unfolded import select_unfolded
from app.core.queries.untraced import select_untraced
from app.core.stream.buffer import EventBuffer
from app.web.health import current_problems

SECONDS_A_DAY = 86_400


def redis_metrics(buffer: EventBuffer) -> list[Metric]:
    """The state of the buffer. Raises nothing that Redis causes."""
    try:
        state = buffer.state()
    except (RedisUnavailable, RedisFull):
        return redis_down()
    metrics: list[Metric] = [
        _redis_up(1),
        GaugeMetricFamily(names.BUFFERED_EVENTS, "Events in the buffer, pending ones included.", state.depth),
        GaugeMetricFamily(names.PENDING_EVENTS, "Events that a worker holds and has not stored yet.", state.pending),
        GaugeMetricFamily(
            names.OLDEST_EVENT_AGE_SECONDS, "How long the oldest buffered event waits.", state.oldest_age_seconds
        ),
    ]
    if state.last_drain_age_seconds is not None:
        metrics.append(
            GaugeMetricFamily(
                names.LAST_DRAIN_AGE_SECONDS, "Since a worker last looked for events.", state.last_drain_age_seconds
            )
        )
    return metrics


def redis_down() -> list[Metric]:
    return [_redis_up(0)]


def database_metrics(pool: ConnectionPool) -> list[Metric]:
    """What is stored. Raises nothing that PostgreSQL causes; one that is not migrated counts as down."""
    try:
        with connection_from(pool) as connection:
            stored = select_events_stored(connection)
            dead_letters = count_dead_letters(connection)
            lost = select_loss(connection).events
            untraced = select_untraced(connection).events
            under_other = count_events_under_other(connection)
            unfolded = select_unfolded(connection)
            days_ahead = select_partition_days(connection).days_ahead
    except DatabaseUnavailable:
        return database_down()
    return [
        _postgresql_up(1),
        CounterMetricFamily(names.EVENTS_STORED, "Events stored, by the rollups.", stored),
        GaugeMetricFamily(names.DEAD_LETTERS, "Entries set aside for a person to look at.", dead_letters),
        GaugeMetricFamily(names.EVENTS_LOST, "Acknowledged events that are missing.", lost),
        GaugeMetricFamily(
            names.EVENTS_UNTRACED, "Acknowledged events that left no trace, and are no known loss either.", untraced
        ),
        GaugeMetricFamily(
            names.EVENTS_UNDER_OTHER,
            "Events of today (UTC) with more new prompt ids and version hashes than are registered.",
            under_other,
        ),
        GaugeMetricFamily(
            names.UNFOLDED_ROWS, "Rows that are not folded into the rollups yet, up to a million.", unfolded.rows
        ),
        GaugeMetricFamily(
            names.OLDEST_UNFOLDED_AGE_SECONDS,
            "How long the oldest of them waits to be folded.",
            unfolded.oldest_age_seconds,
        ),
        GaugeMetricFamily(
            names.PARTITIONS_AHEAD_SECONDS,
            "For how long after today there are partitions for events already.",
            days_ahead * SECONDS_A_DAY,
        ),
    ]


def check_metrics() -> list[Metric]:
    """Each check of /readyz that could be made."""
    checks = GaugeMetricFamily(names.CHECK_OK, "Whether a check of /readyz found all well.", labels=["check"])
    for check, problem in current_problems().items():
        checks.add_metric([check], problem is None)
    return [checks]


def database_down() -> list[Metric]:
    return [_postgresql_up(0)]


def _redis_up(value: int) -> Metric:
    return GaugeMetricFamily(names.REDIS_UP, "Whether Redis answered this scrape.", value)


def _postgresql_up(value: int) -> Metric:
    return GaugeMetricFamily(names.POSTGRESQL_UP, "Whether PostgreSQL answered this scrape.", value)
