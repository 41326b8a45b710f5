"""What operators watch: readiness, refusals, tallies, the names of metrics."""
