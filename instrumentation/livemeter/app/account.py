"""Running accounts: what each session of this process has used and cost so far, and who wants to know.

An account goes by its session's id, so that it outlives connections as the session does. The number of
accounts is bounded: the one that was not touched for longest goes. A forked process has accounts of its own.
"""

import threading
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Generic, TypeVar

from livemeter.accounts import Figures, Ledger, PriceList
from livemeter.observer.facts import Fact, TurnEnded, UsageReported

MAX_ACCOUNTS = 10_000

Call = TypeVar("Call")


@dataclass(frozen=True, slots=True, eq=False)
class Budget(Generic[Call]):
    """What is to be called, once, when a session's cost has reached ``usd``."""

    usd: Decimal
    call: Call


@dataclass(slots=True, eq=False)
class Account(Generic[Call]):
    """One session's account and its budgets."""

    ledger: Ledger
    budgets: list[Budget[Call]] = field(default_factory=list[Budget[Call]])

    @property
    def figures(self) -> Figures:
        """What the session has used and cost so far."""
        return self.ledger.snapshot()

    def add(self, fact: Fact, model: str, platform: str, connection_id: str) -> bool:
        """Add a fact; say whether it is of the kind that costs."""
        if isinstance(fact, UsageReported):
            self.ledger.usage(fact, model, platform, connection_id)
        elif isinstance(fact, TurnEnded):
            self.ledger.turn(fact, model, platform, connection_id)
        else:
            return False
        return True

    def reached(self) -> list[Budget[Call]]:
        """Return the budgets that the cost has reached, each of them once."""
        cost = self.figures.cost_usd if self.budgets else None
        if cost is None:
            return []
        reached = [budget for budget in self.budgets if cost >= budget.usd]
        self.budgets = [budget for budget in self.budgets if cost < budget.usd]
        return reached


class Accounts(Generic[Call]):
    """The accounts of a process, by session id. Safe from any thread.

    ``budgets`` are those of every session, also of the ones to come.
    """

    def __init__(self, prices: PriceList, budgets: Iterable[Budget[Call]] = ()) -> None:
        self._prices = prices
        self._budgets = list(budgets)
        self.begin_anew()

    def begin_anew(self) -> None:
        """Have no accounts, but the same budgets for those to come."""
        self._lock = threading.Lock()
        self._accounts: OrderedDict[str, Account[Call]] = OrderedDict()

    def of(self, session_id: str) -> Account[Call]:
        """Return the account of a session, a new one if need be."""
        with self._lock:
            account = self._accounts.get(session_id)
            if account is None:
                account = self._accounts[session_id] = Account(Ledger(self._prices), list(self._budgets))
            self._accounts.move_to_end(session_id)
            while len(self._accounts) > MAX_ACCOUNTS:
                self._accounts.popitem(last=False)
            return account

    def rename(self, account: Account[Call], old: str, new: str) -> Account[Call]:
        """Return the account that goes by ``new`` from now on: this one, unless there is one already."""
        with self._lock:
            if self._accounts.get(old) is account:
                del self._accounts[old]
            return self._accounts.setdefault(new, account)

    def add_budget(self, budget: Budget[Call]) -> None:
        """Give every session a budget."""
        with self._lock:
            self._budgets.append(budget)
            for account in self._accounts.values():
                account.budgets.append(budget)
