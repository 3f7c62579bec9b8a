"""What a newcomer reads after the first `sangam serve`."""

from sangam.accounts.demo import Demo
from sangam.store.home import RunInfo

_SYMBOLS = ("RELIANCE", "SBIN", "HDFCBANK")


def welcome_text(run: RunInfo, demo: Demo) -> str:
    """The addresses, the key, and lines of Python that stream prices and place an order with the official client."""
    symbols = ", ".join(f'{{"exchange": "NSE", "symbol": "{symbol}"}}' for symbol in _SYMBOLS)
    return f"""\

Sangam is running on a simulated market.

  REST       {run.api_url}    (API description: {run.api_url}/docs)
  WebSocket  {run.websocket_url}
  API key    {demo.api_key}

Stream and trade it from Python (pip install openalgo):

import time; from openalgo import api
client = api(api_key="{demo.api_key}", host="{run.api_url}", ws_url="{run.websocket_url}")
client.connect()
client.subscribe_ltp([{symbols}], on_data_received=print)
print(client.placeorder(symbol="{_SYMBOLS[1]}", exchange="NSE", action="BUY", quantity=1,
                        price_type="MARKET", product="MIS"))  # on paper
time.sleep(60)

Or in another terminal: sangam stream NSE:{_SYMBOLS[0]} --mode quote
Your own broker: sangam account add BROKER      Stop: Ctrl-C
"""
