"""Servers that are full, stopped, or not ready yet."""

from chaos.kills import kill
from chaos.scenarios.trial import Scenario, Trial

EVENTS = 300
MISSING_BYTES = 500_000
"""So much below what it uses: it stays full though workers go on."""
FILLER_KEYS = 50_000
FILL = """
for number = tonumber(ARGV[1]), tonumber(ARGV[2]) do
  redis.call('SET', 'filler:' .. number, string.rep('x', 100))
end
"""


def redis_full(trial: Trial) -> None:
    """Refused with a 429, which must be true; workers go on, which makes room."""
    with trial.load():
        trial.service.wait_for(EVENTS)
        with trial.service.redis_client() as client:
            client.config_set("maxmemory", int(client.info("memory")["used_memory"]) - MISSING_BYTES)
            trial.last(3, 60)
            client.config_set("maxmemory", 0)
        trial.service.wait_for(EVENTS)
    trial.expect("some were refused", is_so=trial.service.progress.events("R") > 0)


def redis_stopped(trial: Trial) -> None:
    redis = trial.service.servers.redis
    with trial.load():
        trial.service.wait_for(EVENTS)
        with trial.service.platform.holding("Redis"):
            redis.stop()
            trial.last(3, 60)
        trial.service.wait_for(EVENTS)


def redis_loading(trial: Trial) -> None:
    """It answers LOADING to everything while it reads its file."""
    with trial.service.redis_client() as client:
        fill = client.register_script(FILL)
        for turn in range(trial.times(6, 40)):
            fill(args=[turn * FILLER_KEYS, (turn + 1) * FILLER_KEYS])
    with trial.load():
        for _ in range(trial.times(1, 5)):
            trial.service.wait_for(EVENTS)
            kill(trial.service.servers.redis.pid)
        trial.service.wait_for(EVENTS)


def postgresql_stopped(trial: Trial) -> None:
    """Events wait in Redis; keys that it knows go on."""
    with trial.load():
        trial.service.wait_for(EVENTS)
        with trial.service.platform.holding("PostgreSQL"):
            trial.service.servers.postgres.stop()
            trial.service.wait_for(EVENTS)
            trial.last(2, 180)
        trial.service.wait_for(EVENTS)


SERVERS_DOWN = (
    Scenario("Redis full", redis_full),
    Scenario("Redis stopped", redis_stopped),
    Scenario("Redis loading its file", redis_loading),
    Scenario("PostgreSQL stopped", postgresql_stopped),
)
