"""The closed list of metric names; nothing is measured under another name.

The worker counts nothing itself: what it achieved is read at scrape time from Redis and PostgreSQL, so no restart
loses it.
"""

# Counted by the web processes
REQUESTS = "prompt_analytics_requests_total"
EVENTS_ACCEPTED = "prompt_analytics_events_accepted_total"
EVENTS_REPLAYED = "prompt_analytics_events_replayed_total"
APPEND_SECONDS = "prompt_analytics_append_seconds"

# What /readyz says, by the name of the check
CHECK_OK = "prompt_analytics_check_ok"

# Read from Redis at scrape time; absent where it does not answer
REDIS_UP = "prompt_analytics_redis_up"
BUFFERED_EVENTS = "prompt_analytics_buffered_events"
PENDING_EVENTS = "prompt_analytics_pending_events"
OLDEST_EVENT_AGE_SECONDS = "prompt_analytics_oldest_event_age_seconds"
LAST_DRAIN_AGE_SECONDS = "prompt_analytics_last_drain_age_seconds"

# Read from PostgreSQL at scrape time; absent where it does not answer
POSTGRESQL_UP = "prompt_analytics_postgresql_up"
EVENTS_STORED = "prompt_analytics_events_stored_total"
DEAD_LETTERS = "prompt_analytics_dead_letters"
EVENTS_LOST = "prompt_analytics_events_lost"
EVENTS_UNTRACED = "prompt_analytics_events_untraced"
EVENTS_UNDER_OTHER = "prompt_analytics_events_under_other"
UNFOLDED_ROWS = "prompt_analytics_unfolded_rows"
OLDEST_UNFOLDED_AGE_SECONDS = "prompt_analytics_oldest_unfolded_age_seconds"
PARTITIONS_AHEAD_SECONDS = "prompt_analytics_event_partitions_ahead_seconds"
