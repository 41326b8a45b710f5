import argparse
import os
import sys
from pathlib import Path

from app.local.announcement import complain
from app.local.errors import CannotRun
from app.local.running import DATA_DIR
from app.local.supervisor import run
from config.settings import SettingsError


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m app.local", description="Run everything on this machine.")
    parser.add_argument("--data-dir", type=Path, default=DATA_DIR, help="where all data lies (default: .local)")
    parser.add_argument("--parent-pid", type=int, help="stop when this process is not the parent any more")
    parser.add_argument("--wheels-only", action="store_true", help="do not use the system's PostgreSQL and Redis")
    options = parser.parse_args()
    try:
        run(
            options.data_dir.resolve(),
            dict(os.environ),
            parent_pid=options.parent_pid,
            wheels_only=options.wheels_only,
        )
    except (CannotRun, SettingsError) as error:
        complain(str(error))
        return 1
    except OSError as error:
        if error.filename is None:
            raise
        complain(f"{error.filename}: {error.strerror}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
