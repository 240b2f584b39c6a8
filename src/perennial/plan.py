"""How the time of a study is shared out among its steps."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import isfinite

from perennial.errors import UsageError

DEFAULT_SECONDS = 60.0
SHORTEST_SHARED = 10.0
LEAST_SHARE = 0.6


@dataclass(frozen=True)
class Shares:
    """What one kind of data needs.

    Args:
        search: share of the time before the final test that is spent on finding candidates.
        candidate: at most this share for one of them.
        confirmed: how many of the best are trained again on fresh folds.
        closing: share for the test, the explanations and the report, up to a minute.
        longest: most seconds for one candidate, as a number and a share of the time; the smaller of this and `candidate`
            holds.
        patient: whether the best networks get all of the time that is left then, instead of as much as before.
    """

    search: float
    candidate: float
    confirmed: int
    closing: float = 0.1
    longest: tuple[float, float] = (float("inf"), 0.0)
    patient: bool = False


SHARES = {
    "table": Shares(search=0.69, candidate=0.25, confirmed=12),
    "image": Shares(
        search=0.35, candidate=0.08, confirmed=6, closing=0.06, longest=(50.0, 0.02), patient=True
    ),
}


@dataclass(frozen=True)
class Plan:
    """Seconds of the whole study at which each part must have ended.

    The last part (two seconds at least) pays for the test, the explanations and the report.
    """

    search_end: float
    confirm_end: float
    candidate: float
    confirmed: int
    patient: bool = False

    @property
    def least(self) -> float:
        """Seconds without which a candidate is not begun: a network that the clock cuts short says little.

        >>> Plan.of(600.0, "image").least, Plan.of(float("inf"), "image").least
        (27.06, 0.0)
        """
        return LEAST_SHARE * self.candidate if self.patient and isfinite(self.candidate) else 0.0

    def beginning(self, elapsed: float, modality: str, asked: float = 0.0) -> Plan:
        """The plan when the search begins only now: it has its share of what is left, so that a slow start does not end it
        before its first candidate.

        Args:
            elapsed: seconds since the study began.
            modality: `table` or `image`.
            asked: of these, seconds in which a library was asked; they count as search, up to half of it.

        >>> Plan.of(25.0, "image").search_end, Plan.of(25.0, "image").beginning(9.0, "image").search_end
        (7.9, 13.7)
        >>> Plan.of(25.0, "image").beginning(9.0, "image", asked=1.0).search_end
        13.1
        """
        if elapsed >= self.confirm_end or not isfinite(self.confirm_end):
            return self
        share = SHARES[modality].search * (self.confirm_end - (elapsed - asked))
        end = max(self.search_end, elapsed - asked + share, elapsed + 0.5 * share)
        return replace(self, search_end=round(min(end, self.confirm_end), 1))

    @staticmethod
    def of(seconds: float, modality: str = "table") -> Plan:
        """The plan of a budget; without any (`inf`) nothing ends.

        >>> Plan.of(60.0)
        Plan(search_end=37.3, confirm_end=54.0, candidate=13.5, confirmed=12, patient=False)
        """
        shares = SHARES[modality]
        confirm_end = seconds - max(min(2.5, seconds * 0.5), min(shares.closing * seconds, 60.0))
        if seconds == float("inf"):
            confirm_end = seconds
        search = confirm_end * shares.search if seconds >= SHORTEST_SHARED else confirm_end
        most, part = shares.longest
        return Plan(
            round(search, 1),
            round(confirm_end, 1),
            round(min(confirm_end * shares.candidate, most + part * confirm_end), 1),
            shares.confirmed,
            shares.patient,
        )


def budget_of(seconds: float | None, minutes: float | None, hours: float | None, trials: int | None) -> float:
    """All the times together in seconds, a minute when nothing is given, `inf` with a budget of trials.

    Raises:
        UsageError: a budget that is not positive, or both a time and a number of trials.
    """
    given = [
        value * unit
        for value, unit in ((seconds, 1.0), (minutes, 60.0), (hours, 3600.0))
        if value is not None
    ]
    if any(value <= 0 for value in given) or (trials is not None and trials < 1):
        raise UsageError(
            f"A budget must be positive, received {given or trials}.",
            todo="Give for instance minutes=10 or trials=50.",
        )
    if given and trials is not None:
        raise UsageError(
            "Both a time and a number of trials were given.",
            why="A budget of trials promises the same result on every run; a clock cannot.",
            todo="Give one of them.",
        )
    return float("inf") if trials is not None else (sum(given) or DEFAULT_SECONDS)
