"""Momentum on ticks: buy when a fast average of the last prices crosses above a slow one, sell when it crosses back.

One position at a time, guarded by a stop-loss order at the exchange. The strategy knows nothing of who carries its
orders out:

    python examples/momentum.py paper SBIN                 # invented prices, in this process
    python examples/momentum.py server SBIN                # SANGAM_API_KEY; paper or live as the key says
    python examples/momentum.py kite SBIN                  # KITE_API_KEY, KITE_ACCESS_TOKEN: real money
"""

import argparse
import logging
import os
import random
import time
from collections import deque

from sangam.client import BrokerInterface, KiteBroker, OrderInfo, PaperBroker, Tick, WebSocketBroker
from sangam.model.errors import InDoubt, OrderError

log = logging.getLogger("momentum")


class Momentum:
    """`stop` is how many percent below the entry the stop-loss lies, `run` begins the names of this run's orders.

    It is flat, entering, long, or leaving; only what orders really did moves it from one to the next."""

    def __init__(
        self,
        broker: BrokerInterface,
        symbol: str,
        *,
        exchange: str = "NSE",
        quantity: int = 1,
        fast: int = 5,
        slow: int = 20,
        stop: float = 1.0,
        run: str = "",
    ) -> None:
        self.broker = broker
        self.symbol = symbol
        self.exchange = exchange
        self.quantity = quantity
        self.stop = stop
        self.state = "flat"
        self.rounds = 0
        self._run = run or f"momentum-{int(time.time())}"
        self._orders = 0
        self._entry = self._guard = self._exit = ""
        self._prices: deque[float] = deque(maxlen=slow)
        self._fast = fast
        self._was_above: bool | None = None

    def start(self) -> None:
        """Callbacks first, then connect, then prices."""
        self.broker.on_order_update = self.on_order
        self.broker.on_error = lambda error: log.error("%s", error)
        self.broker.on_disconnect = lambda reason: log.warning("line lost: %s", reason)
        self.broker.connect()
        self.broker.subscribe((f"{self.exchange}:{self.symbol}",), self.on_tick, mode="LTP")

    def on_tick(self, tick: Tick) -> None:
        self._prices.append(tick.ltp)
        if len(self._prices) < (self._prices.maxlen or 0):
            return
        newest = list(self._prices)[-self._fast :]
        above = sum(newest) / len(newest) > sum(self._prices) / len(self._prices)
        crossed, self._was_above = self._was_above is not None and above != self._was_above, above
        if crossed and above and self.state == "flat":
            self._entry = self._place("BUY", self.quantity)
            self.state = "entering" if self._entry else "flat"
        elif crossed and not above and self.state == "long":
            self.leave()

    def leave(self) -> None:
        """Take the stop away first: it must not sell what the exit sells too. Its end is told to `on_order`."""
        if self.state == "long":
            self.state = "leaving"
            try:
                self.broker.cancel_order(self._guard)
            except OrderError as error:
                log.warning("%s", error)  # it was filled, or nobody knows: its next update decides

    def finish(self, seconds: float) -> bool:
        """Leave, and wait until nothing is held any more."""
        ends = time.monotonic() + seconds
        while self.state != "flat" and time.monotonic() < ends:
            self.leave()
            time.sleep(0.05)
        return self.state == "flat"

    def on_order(self, order: OrderInfo) -> None:
        if not order.is_final:
            return
        log.info("%s %s %s at %s", order.event, order.side, order.filled_quantity, order.average_price)
        if order.client_order_id == self._entry:
            if order.filled_quantity:
                self.state = "long"
                trigger = int(order.average_price * (1 - self.stop / 100))
                self._guard = self._place("SELL", order.filled_quantity, trigger)
                if not self._guard:
                    self._sell_out(order.filled_quantity)
            else:
                self.state = "flat"
        elif order.client_order_id == self._guard:
            if order.filled_quantity == order.quantity:
                self._finish()
            elif self.state == "leaving":
                self._sell_out(order.quantity - order.filled_quantity)
        elif order.client_order_id == self._exit and order.filled_quantity:
            self._finish()

    def _sell_out(self, quantity: int) -> None:
        self.state = "leaving"
        self._exit = self._place("SELL", quantity)
        if not self._exit:
            log.critical("%d %s are held without a stop: close them by hand", quantity, self.symbol)

    def _finish(self) -> None:
        self.state = "flat"
        self.rounds += 1

    def _place(self, side: str, quantity: int, trigger: int | None = None) -> str:
        """The name of the order; empty where it was not taken. Of one in doubt an update will tell, so it counts as
        placed and nothing is sent in its stead."""
        self._orders += 1
        name = f"{self._run}-{self._orders}"
        try:
            self.broker.place_order(
                self.symbol,
                quantity,
                side,
                exchange=self.exchange,
                trigger_price=trigger,
                client_order_id=name,
                tag="momentum",
            )
        except InDoubt as error:
            log.error("%s", error)
        except OrderError as error:
            log.warning("%s", error)
            return ""
        return name


def invented(broker: PaperBroker, symbol: str, ticks: int = 2_000, seed: int = 1) -> None:
    """Prices of a market that does not exist; equal seeds are equal days."""
    dice, price = random.Random(seed), 800.0  # noqa: S311
    for _ in range(ticks):
        price = max(1.0, price + dice.choice((-0.2, -0.1, 0.0, 0.1, 0.2)))
        broker.tick(symbol, round(price, 2))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("broker", choices=("paper", "server", "kite"))
    parser.add_argument("symbol")
    parser.add_argument("--exchange", default="NSE")
    parser.add_argument("--quantity", type=int, default=1)
    parser.add_argument("--url", default="ws://127.0.0.1:8765", help="the server's gateway")
    parser.add_argument("--seconds", type=float, default=60, help="how long to trade")
    chosen = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")

    broker: BrokerInterface
    if chosen.broker == "paper":
        broker = PaperBroker()
    elif chosen.broker == "server":
        broker = WebSocketBroker(chosen.url, os.environ["SANGAM_API_KEY"])
    else:
        broker = KiteBroker(os.environ["KITE_API_KEY"], os.environ["KITE_ACCESS_TOKEN"])

    strategy = Momentum(broker, chosen.symbol, exchange=chosen.exchange, quantity=chosen.quantity)
    strategy.start()
    try:
        if isinstance(broker, PaperBroker):
            invented(broker, chosen.symbol)
        else:
            time.sleep(chosen.seconds)
        if not strategy.finish(10):
            log.critical("a position may still be open: look at %s", chosen.broker)
        funds = broker.get_funds()
        log.info("%d rounds, realised %.2f", strategy.rounds, funds.m2m_realised)
    finally:
        broker.disconnect()


if __name__ == "__main__":
    main()
