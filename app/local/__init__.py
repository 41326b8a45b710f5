"""Real PostgreSQL and Redis as child processes, for `make run` and for tests; nothing here runs in production.

Only `running_environment` is for others: the operator's commands ask it which servers a `make run` beside them uses.
"""

from app.local.running import running_environment

__all__ = ["running_environment"]
