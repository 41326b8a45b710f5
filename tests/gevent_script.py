"""Scripts in processes of their own, which gevent has patched as gunicorn's are."""

import subprocess
import sys
import textwrap

# Scripts say themselves what the `outcome` of a call is.
BEGIN = """
from gevent import monkey; monkey.patch_all()
import sys, gevent, redis
from app.core.redis_client import connect
from app.web.fast.shared_connection import SharedConnectionRedis
plain = connect(sys.argv[1], timeout_seconds=5)
client = SharedConnectionRedis(connect(sys.argv[1], timeout_seconds=0.5).connection_pool)

def all_at_once(*calls):
    greenlets = [gevent.spawn(outcome, *call) for call in calls]
    gevent.joinall(greenlets)
    return [greenlet.value for greenlet in greenlets]
"""


def run_in_gevent(begin: str, script: str, redis_url: str) -> None:
    """Run BEGIN, what a file of tests has all its scripts begin with, and the script; it must end well."""
    command = [sys.executable, "-c", BEGIN + begin + textwrap.dedent(script), redis_url]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
