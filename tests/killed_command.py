"""A command of the operator that kills itself with -9 in its middle.

`python -m tests.killed_command PLACE TIMES ARGUMENTS…`: as it calls PLACE (module:name) for the so-manieth time.
"""

import os
import pkgutil
import signal
import sys
from collections.abc import Callable
from itertools import count
from typing import Any
from unittest.mock import patch

from app.__main__ import main


def killing(function: Callable[..., Any], times: int) -> Callable[..., Any]:
    calls = count(1)

    def call(*arguments: Any, **options: Any) -> Any:
        if next(calls) == times:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*arguments, **options)

    return call


if __name__ == "__main__":
    place, times, *command = sys.argv[1:]
    with patch(place.replace(":", "."), killing(pkgutil.resolve_name(place), int(times))):
        main(command)
