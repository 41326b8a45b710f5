"""Faults that operators meet, each a small function: brought about under load and healed; then the law must hold."""

from chaos.scenarios.backlogs import BACKLOGS
from chaos.scenarios.lost_data import LOST_DATA
from chaos.scenarios.network import NETWORK
from chaos.scenarios.overload import OVERLOAD
from chaos.scenarios.processes import PROCESSES
from chaos.scenarios.releases import RELEASES
from chaos.scenarios.servers_down import SERVERS_DOWN
from chaos.scenarios.tables import TABLES
from chaos.scenarios.trial import Scenario
from chaos.scenarios.wrong_values import WRONG_VALUES

SCENARIOS: tuple[Scenario, ...] = (
    *NETWORK,
    *SERVERS_DOWN,
    *LOST_DATA,
    *TABLES,
    *BACKLOGS,
    *PROCESSES,
    *RELEASES,
    *OVERLOAD,
    *WRONG_VALUES,
)
