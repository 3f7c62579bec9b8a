"""Which address the world sees when an account speaks: the one that must be registered with its broker."""

from ipaddress import ip_address

import httpx

from sangam.model.errors import InvalidInput, NotSent

from .egress import Egress

TIMEOUT = 5.0


async def public_address(egress: Egress, url: str) -> str:
    """Ask a service that answers with the caller's address as plain text (`PUBLIC_IP_URL`), from where the account's
    calls leave. Raises NotSent where it cannot be reached, InvalidInput where its answer is no address."""
    transport = httpx.AsyncHTTPTransport(proxy=egress.proxy, local_address=egress.address, trust_env=False)
    try:
        async with httpx.AsyncClient(transport=transport, timeout=TIMEOUT, trust_env=False) as client:
            reply = await client.get(url)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise NotSent(f"PUBLIC_IP_URL cannot be asked from {egress}: {str(error) or type(error).__name__}") from error
    try:
        return str(ip_address(reply.text.strip()))
    except ValueError:
        raise InvalidInput(f"PUBLIC_IP_URL answers with no address (HTTP {reply.status_code}).") from None
