"""Where an account's calls and sockets leave from: one of this machine's addresses, or an HTTP proxy.

Brokers accept orders only from the address that the user registered with them, so each account may have its own."""

from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit

from sangam.model.errors import InvalidInput


@dataclass(frozen=True)
class Egress:
    """At most one is set. `proxy` may hold a password; `str()` never shows it."""

    address: str | None = None
    proxy: str | None = None

    def __str__(self) -> str:
        if self.proxy is not None:
            parts = urlsplit(self.proxy)
            return f"the proxy {parts.hostname}:{parts.port}"
        return self.address or "any address"

    @property
    def local(self) -> tuple[str, int] | None:
        """The source address as sockets want it."""
        return None if self.address is None else (self.address, 0)


def parse_egress(text: str) -> Egress:
    """``""``, ``203.0.113.7``, ``2001:db8::7`` or ``http://[user:password@]host:port``; InvalidInput for all else."""
    if not text:
        return Egress()
    if "://" not in text:
        try:
            return Egress(address=str(ip_address(text)))
        except ValueError:
            raise InvalidInput(
                f"The egress '{text}' is no IP address of this machine and no proxy such as http://host:3128."
            ) from None
    try:
        parts = urlsplit(text)
        usable = parts.scheme == "http" and parts.hostname and parts.port and parts.path in ("", "/")
    except ValueError:
        usable = False
    if not usable or parts.query or parts.fragment:
        raise InvalidInput("The egress must be an IP address of this machine, or http://[user:password@]host:port.")
    return Egress(proxy=text.rstrip("/"))
