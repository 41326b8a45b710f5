"""PostgreSQL's disk is full: a small tmpfs, mounted in a namespace of its own, so that it goes with its processes."""

import json
import os
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

from app.local.children import REPOSITORY, Guard
from app.local.errors import CannotRun
from app.local.postgres import start_postgres
from chaos.detector import Detector
from chaos.scenarios.trial import Result, Scenario, Trial, run_scenario
from chaos.servers import Servers, start_chaos_redis
from chaos.service import wait_until
from chaos.verdict import Verdict

NAMESPACE = ("unshare", "--user", "--map-root-user", "--mount")
DISK_MB, LEFT_MB = 256, 2
EVENTS = 300
BALLAST = "ballast"
RUN_SECONDS = 900
BLOCK = bytes(1_000_000)


def fill_the_disk(trial: Trial) -> None:
    """Until nothing fits any more; what PostgreSQL makes of that, it makes: the events wait in Redis."""
    disk = trial.service.servers.postgres.data_dir.parent
    ballast = disk / BALLAST
    with trial.load(batch_events_per_second=3_000, largest_batch=1_000):
        trial.service.wait_for(EVENTS)
        with ballast.open("wb") as file:
            while os.statvfs(disk).f_bavail * os.statvfs(disk).f_bsize > LEFT_MB * len(BLOCK):
                file.write(BLOCK)
                file.flush()
        log = trial.service.servers.postgres.data_dir.with_name("postgres.log")
        wait_until(lambda: "No space left on device" in log.read_text(errors="replace"), "a full disk", 120)
        trial.last(3, 60)
        ballast.unlink()
        trial.service.wait_for(EVENTS)


SCENARIO = Scenario("PostgreSQL's disk full", fill_the_disk)


def is_permitted() -> bool:
    """Whether this machine lets its users have namespaces with mounts of their own."""
    try:
        return subprocess.run([*NAMESPACE, "true"], capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


def run_disk_full(folder: Path, *, seed: int, is_short: bool) -> Result:
    """In a process of its own. CannotRun where it fails to tell."""
    folder.mkdir(parents=True, exist_ok=True)
    command = [*NAMESPACE, sys.executable, "-m", "chaos.disk_full", str(folder), str(seed), str(int(is_short))]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=RUN_SECONDS, check=False)
    if done.returncode != 0:
        raise CannotRun(f"disk full: {(done.stderr.strip() or 'no reason given').splitlines()[-1]}")
    told = json.loads(done.stdout.splitlines()[-1])
    verdict = Verdict(**told.pop("verdict")) if told["verdict"] else told.pop("verdict")
    detector = Detector(**told.pop("detector")) if told["detector"] else told.pop("detector")
    return Result(scenario=SCENARIO, verdict=verdict, detector=detector, **told)


def main() -> None:
    folder, seed, is_short = Path(sys.argv[1]), int(sys.argv[2]), bool(int(sys.argv[3]))
    disk = folder / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "none", str(disk)], check=True)
    with Guard() as guard:
        postgres = start_postgres(disk / "postgres", guard)
        servers = Servers(
            folder, guard, postgres, start_chaos_redis(folder / "redis", guard, "--appendfsync", "always")
        )
        result = run_scenario(servers, SCENARIO, seed=seed, is_short=is_short)
    told = asdict(replace(result, scenario=Scenario("", lambda _: None)))
    del told["scenario"]
    print(json.dumps(told))


if __name__ == "__main__":
    main()
