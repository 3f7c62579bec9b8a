"""Addresses of brokers: credentials travel there."""

import ipaddress
from urllib.parse import urlsplit

from sangam.model.errors import InvalidInput


def check_url(name: str, url: str) -> None:
    """Refuse what is no address, and beyond this machine what is not encrypted. `name` is the row of the host table.

    Raises InvalidInput."""
    try:
        parts = urlsplit(url)
        whole = parts.hostname and parts.port != 0 and parts.scheme in ("http", "https", "ws", "wss", "tcp", "tls")
    except ValueError:  # brackets that do not close, a port that is none
        whole = False
    if not whole or url.count("://") > 1 or any(char.isspace() for char in url):
        raise InvalidInput(f"Host '{name}' needs a whole URL such as https://127.0.0.1:8443, not '{url}'.")
    if parts.scheme in ("http", "ws", "tcp") and not is_here(url):
        raise InvalidInput(f"Host '{name}' at {parts.hostname} must be encrypted (https:// or wss://).")


def is_here(url: str) -> bool:
    """Whether it is on this machine."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
