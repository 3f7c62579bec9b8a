"""Whose streams serve an account whose broker has none."""

from collections.abc import Iterable, Iterator

from sangam.accounts.accounts import Accounts
from sangam.brokers.registry import Registry
from sangam.model.errors import InvalidInput
from sangam.model.identity import AccountInfo


class Lending:
    def __init__(self, accounts: Accounts, brokers: Registry) -> None:
        self._accounts = accounts
        self._brokers = brokers

    def lender(self, account: str, former: str = "") -> str | None:
        """The user's data account, else another account of the user's with real prices: the one who lent before while
        it is logged in, one that is, the one who lent before and will be again (nobody who hears real prices is handed
        simulated ones by a log-out). Else one of the simulated market, whoever's it is: its prices are nobody's
        secret. None for an account that is being removed, too."""
        try:
            user = self._accounts[account].info.user
            chosen, _ = self._accounts.default(user)
        except InvalidInput:
            return None
        own = [info for info in self._accounts.list(user) if self._streams(info)]
        if chosen in own:
            return chosen.id
        real = [info.id for info in own if not self._brokers[info.broker].simulated]
        real.sort(key=lambda one: one != former)
        awake = next((one for one in real if self._accounts.sessions.current(one) is not None), None)
        waiting = former if former in real else None
        return awake or waiting or next(self._simulated((*own, *self._accounts.list())), None)

    def _streams(self, info: AccountInfo) -> bool:
        return info.broker in self._brokers.names and self._brokers[info.broker].streams_market

    def _simulated(self, accounts: Iterable[AccountInfo]) -> Iterator[str]:
        return (one.id for one in accounts if self._streams(one) and self._brokers[one.broker].simulated)
