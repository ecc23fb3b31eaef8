"""What a call has taken before its cost is known."""

from __future__ import annotations

from collections.abc import Callable

from perfwright.core import AlreadySettledError
from perfwright.limits.rate import Cost, Costs, Tariff, nothing_of


class Reservation:
    """Holds the estimated cost of one call; say what it was when the call is over.

    A reservation that is never settled costs what was reserved: nothing leaks, and nobody waits
    for a process that has died.
    """

    __slots__ = ("_open", "_settle", "_tariff", "costs", "moment_s")

    def __init__(
        self,
        costs: Costs,
        *,
        tariff: Tariff,
        moment_s: float,
        settle: Callable[[Costs, Costs], None],
    ) -> None:
        self.costs = costs
        """What was reserved of each limit, in their order."""
        self.moment_s = moment_s
        """When it was let through, by the limiter's clock: through Redis, by the server's."""
        self._tariff = tariff
        self._settle = settle
        self._open = True

    def settle(self, actual_cost: Cost) -> None:
        """Give back what was not used, or charge what was used beyond, into debt if need be.

        Args:
            actual_cost: As in `reserve`; a limit that is not named cost what was reserved.

        Raises:
            AlreadySettledError: If it was settled or refunded before.
        """
        if not self._open:
            raise AlreadySettledError(costs=self.costs)
        actual = self._tariff.actual(actual_cost, self.costs)
        self._open = False
        if actual != self.costs:
            self._settle(self.costs, actual)

    def refund(self) -> None:
        """Give everything back, because the call was not made; once settled, this does nothing."""
        if self._open:
            self._open = False
            self._settle(self.costs, nothing_of(self.costs))
