"""Connection pools: what is ready before the first request."""

from tests.http_server import session_for
from tests.toy_broker import toy_spec

from sangam.transport.pools import Pools, tls


async def test_no_order_waits_until_the_certificate_authorities_are_read() -> None:
    tls.cache_clear()
    pools = Pools()
    read = tls.cache_info().misses
    for writes in (False, True):
        pools.client(toy_spec(), session_for(1), writes=writes)
    assert tls.cache_info().misses == read
    await pools.close()
