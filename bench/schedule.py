"""How long everything is measured."""

from dataclasses import dataclass

STANDARD_SECONDS = 4
"""With this a whole run takes a quarter of an hour on two cores."""


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
    def peer_seconds(self) -> int:
        return max(1, self.seconds - 1)

    @property
    def drain_events(self) -> int:
        """In the buffer before each drain."""
        return 25_000 * self.seconds

    @property
    def steady_seconds(self) -> int:
        """Long enough for folds at their own pace, which come every half a minute."""
        return 15 * self.seconds

    @property
    def lone_events(self) -> int:
        return 4 * self.seconds

    @property
    def read_events(self) -> tuple[int, int, int]:
        """The numbers of events that the read API answers over, the smallest first."""
        return 250_000 * self.seconds, 2_500_000 * self.seconds, 25_000_000 * self.seconds

    @property
    def reads_per_round(self) -> int:
        return 10 * self.seconds
