"""Events between the 204 and PostgreSQL: what an event is, the Redis stream that holds it, and what was set aside."""
