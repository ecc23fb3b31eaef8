"""How much may still be spent, and whether spending keeps pace with the time that is left."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

HEAD_START = 0.1
"""Share of a budget that may be used before the pace counts, so that a start is no alarm."""


@dataclass(slots=True)
class Account:
    """One budget: what is settled, and what is set aside for calls under way."""

    name: str
    limit: float
    used: float = 0.0
    held: float = 0.0

    @property
    def left(self) -> float:
        """What nobody has used or set aside."""
        return self.limit - self.used - self.held


class Allowance:
    """A budget of tokens and one of money, either of which may be absent. Reads no clock.

    Args:
        tokens: In all; None: no bound.
        usd: In all; None: no bound.
        horizon_s: For how long they are to last; None: no pace is kept.
        start_s: When that time began.
    """

    def __init__(
        self,
        *,
        tokens: int | None,
        usd: float | None,
        horizon_s: float | None,
        start_s: float,
    ) -> None:
        self._tokens = None if tokens is None else Account("tokens", tokens)
        self._usd = None if usd is None else Account("money", usd)
        self._horizon_s, self._start_s = horizon_s, start_s
        self._holds: dict[int, tuple[int, float]] = {}
        self._last_ticket = 0
        self.used_tokens = 0
        self.used_usd = 0.0

    def lacks(self, tokens: int, *, usd: float) -> Account | None:
        """Return the budget that does not allow this; None if all do."""
        for account, amount in self._amounts(tokens, usd):
            if account.left < max(amount, 1e-12):
                return account
        return None

    def hold(self, tokens: int, *, usd: float) -> int:
        """Set this aside; returns the ticket that `settle` takes."""
        for account, amount in self._amounts(tokens, usd):
            account.held += amount
        self._last_ticket += 1
        self._holds[self._last_ticket] = tokens, usd
        return self._last_ticket

    def settle(self, ticket: int, *, tokens: int, usd: float) -> None:
        """Book what was used, and give back what `ticket` had set aside; 0 had nothing."""
        held_tokens, held_usd = self._holds.pop(ticket, (0, 0.0))
        for account, held in self._amounts(held_tokens, held_usd):
            account.held -= held
        for account, amount in self._amounts(tokens, usd):
            account.used += amount
        self.used_tokens += tokens
        self.used_usd += usd

    def haste(self, now_s: float) -> float:
        """Return spending over what the pace allows by now, of the tighter budget; 1 if on pace.

        Above 1 the budget would be gone before the horizon; it is never below 1.
        """
        if self._horizon_s is None:
            return 1.0
        gone = min(1.0, (now_s - self._start_s) / self._horizon_s)
        due = HEAD_START + (1.0 - HEAD_START) * gone
        shares = (
            (account.used + account.held) / account.limit / due for account in self._accounts()
        )
        return max((1.0, *shares))

    def _accounts(self) -> Iterator[Account]:
        return (account for account in (self._tokens, self._usd) if account is not None)

    def _amounts(self, tokens: int, usd: float) -> Iterator[tuple[Account, float]]:
        if self._tokens is not None:
            yield self._tokens, tokens
        if self._usd is not None:
            yield self._usd, usd
