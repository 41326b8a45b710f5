"""How far an estimate may be off, at a probability that holds for all looks together.

A page that is looked at again and again gives chance as many tries: an interval of 95 % for one look is crossed by two
equal versions in half of all cases, sooner or later. A confidence sequence is an interval for every moment of which all
together are right with probability 1 - α. Here it is the asymptotic one of the normal mixture (Robbins, Annals of
Mathematical Statistics 41, 1970; Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas, Annals of Statistics 52, 2024), as
GrowthBook documents it for sequential testing:

    estimate ± σ̂√N · √(2(Nρ² + 1)/(N²ρ²) · ln(√(Nρ² + 1)/α)),   ρ = √((-2 ln α + ln(1 - 2 ln α))/N*)

It is σ̂, the standard error, times `multiplier`. ρ fixes where the interval is narrowest for its kind: at N* events.
"""

import math
from dataclasses import dataclass

TUNED_FOR_EVENTS = 5_000
FEWEST_DAYS = 2
"""One day shows nothing of how days scatter."""


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate, and how far it may be off; of a ratio they are natural logarithms.

    `events`: as many as there would be in two versions of equal traffic that tell as much. `days`: how many days tell
    the standard error, where it is not that of independent events. `unseen`: the part of the variance that leaves room
    for a value that differs where all that were seen are equal; it falls with the square of the events.
    """

    estimate: float
    low: float
    high: float
    events: float
    days: float | None = None
    unseen: float = 0.0

    def after(self, events: float, alpha: float) -> "Interval":
        """What it would be after so many events, if the estimate stayed. What is infinite stays so."""
        days = self.days and self.days * events / self.events
        unseen = self.unseen / (self.unseen + (1 - self.unseen) * events / self.events)
        if math.isinf(self.estimate):
            return Interval(self.estimate, self.low, self.high, events, days, unseen)
        narrower = self.narrower(events, alpha)
        low, high = (self.estimate + (end - self.estimate) * narrower for end in (self.low, self.high))
        return Interval(self.estimate, low, high, events, days, unseen)

    def narrower(self, events: float, alpha: float) -> float:
        """How far it would reach then, as a share of how far it reaches now; 1 where that can't be told."""
        now = standard_errors(self.events, alpha, self.days)
        then = standard_errors(events, alpha, self.days and self.days * events / self.events)
        if math.isinf(now):
            return 1
        fewer = self.events / events
        return then / now * math.sqrt((1 - self.unseen) * fewer + self.unseen * fewer**2)


def standard_errors(events: float, alpha: float, days: float | None) -> float:
    """How many the interval reaches to either side; infinite where the days are too few to tell."""
    normal = multiplier(events, alpha)
    if days is None:
        return normal
    return student(normal, days - 1) if days >= FEWEST_DAYS else math.inf


def multiplier(events: float, alpha: float) -> float:
    """How many standard errors of independent events the interval reaches to either side, at this number of events."""
    log_alpha = math.log(alpha)
    rho_squared = (-2 * log_alpha + math.log1p(-2 * log_alpha)) / TUNED_FOR_EVENTS
    time = events * rho_squared
    return math.sqrt((time + 1) / time * (math.log1p(time) - 2 * log_alpha))


def student(normal: float, degrees_of_freedom: float) -> float:
    """The value of Student's t that is as improbable as this one of the normal distribution.

    For standard errors that are known from few blocks of time only. The inverse of Wallace's approximation (Annals of
    Mathematical Statistics 30, 1959), which is never less than exact: up to 1 % more for 10 degrees of freedom and
    more, up to 8 % for 5, and for 1 or 2, which tell hardly anything, a multiple.
    """
    corrected = normal * (8 * degrees_of_freedom + 3) / (8 * degrees_of_freedom + 1)
    exponent = corrected**2 / degrees_of_freedom
    return math.sqrt(degrees_of_freedom * math.expm1(exponent)) if exponent < 700 else math.inf
