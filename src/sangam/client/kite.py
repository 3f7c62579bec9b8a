"""Zerodha's Kite Connect without a server."""

from collections.abc import Mapping

from .direct import DirectBroker


class KiteBroker(DirectBroker):
    """`access_token` is today's: it ends at 06:00 and comes from Kite's login."""

    def __init__(
        self, api_key: str, access_token: str, *, hosts: Mapping[str, str] | None = None, egress: str = ""
    ) -> None:
        super().__init__("zerodha", {"api_key": api_key, "access_token": access_token}, hosts=hosts, egress=egress)
