"""The pace that operators plan for."""

EVENTS_A_MONTH = 1_000_000_000
SECONDS_A_MONTH = 30 * 86_400
