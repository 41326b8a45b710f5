"""The network between the processes and their servers."""

from functools import partial

from chaos.proxy import Fault, Proxy
from chaos.scenarios.trial import Scenario, Trial

EVERY = 50
DELAY_SECONDS = 0.7
"""Longer than web waits for Redis: so the answer comes when it has long said 503."""
EVENTS = 300


def suffer(server: str, fault: Fault, trial: Trial) -> None:
    proxy = _proxy(trial, server)
    with trial.load():
        trial.service.wait_for(EVENTS)
        proxy.bring(fault)
        trial.last(4, 60)
        proxy.bring(None)
        trial.service.wait_for(EVENTS)
    trial.facts.append(f"{proxy.faults[fault.kind]:,} replies")
    trial.expect("replies suffered", is_so=proxy.faults[fault.kind] > 0)


def fall_silent(server: str, trial: Trial) -> None:
    """Packets vanish; what was sent meanwhile arrives when they pass again."""
    proxy = _proxy(trial, server)
    with trial.load():
        trial.service.wait_for(EVENTS)
        proxy.black_hole(is_open=True)
        trial.last(4, 60)
        proxy.black_hole(is_open=False)
        trial.service.wait_for(EVENTS)


def _proxy(trial: Trial, server: str) -> Proxy:
    proxy = trial.redis_proxy if server == "Redis" else trial.postgres_proxy
    assert proxy is not None
    return proxy


FAULTS = (Fault("drop", EVERY), Fault("delay", EVERY, DELAY_SECONDS), Fault("cut", EVERY))
SERVERS = ("Redis", "PostgreSQL")
NETWORK = (
    *(
        Scenario(f"{server}, every {EVERY}th reply: {fault.kind}", partial(suffer, server, fault), is_proxied=True)
        for server in SERVERS
        for fault in FAULTS
    ),
    *(Scenario(f"{server} in a black hole", partial(fall_silent, server), is_proxied=True) for server in SERVERS),
)
