"""How long everything is measured."""

from dataclasses import dataclass

STANDARD_SECONDS = 5
"""With this a whole run stays under ten minutes on two cores."""


@dataclass(frozen=True)
class Schedule:
    """`seconds` is the length of one run under load; all other lengths follow from it."""

    seconds: int
    rounds: int = 5
    peer_rounds: int = 3

    @property
    def is_standard(self) -> bool:
        """Whether the figures may be compared with the targets."""
        return self.seconds >= STANDARD_SECONDS

    @property
    def warm_up_seconds(self) -> int:
        return 1

    @property
    def peer_seconds(self) -> int:
        return max(1, self.seconds - 2)

    @property
    def drain_events(self) -> int:
        """In the buffer before each drain."""
        return 20_000 * self.seconds

    @property
    def lone_events(self) -> int:
        return 3 * self.seconds

    @property
    def freshness_seconds(self) -> int:
        """For freshness under load."""
        return 5 * self.seconds

    @property
    def read_events(self) -> tuple[int, int]:
        """The smaller and the larger number of events that the read API answers over."""
        return 200_000 * self.seconds, 2_000_000 * self.seconds

    @property
    def reads_per_round(self) -> int:
        return 8 * self.seconds
