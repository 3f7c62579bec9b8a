"""LOGIN: sessions are made, proved, prolonged, lost and ended."""

from contextlib import suppress

import msgspec
import pytest
from tests.conformance.matrix import case
from tests.conformance.rig import Rig

from sangam.brokers.contract import Grant
from sangam.model.enums import AccountState, Mode
from sangam.model.errors import BrokerError, InvalidInput, Refused, SangamError, SessionExpired, Unknown
from sangam.verify import needs

DEAD = (AccountState.AUTH_EXPIRED, AccountState.REPLACED)
BACK = "http://127.0.0.1:5000/callback"


async def callback(rig: Rig) -> dict[str, str]:
    """What a browser brings back from the login page."""
    way = rig.spec.login.redirect
    assert way is not None
    kept = rig.kept()
    if way.prepare is not None:
        told = await rig.run(way.prepare(kept, rig.driver.ctx()), kept)
        kept = msgspec.structs.replace(kept, secrets={**kept.secrets, **told})
    return dict(await rig.stand.browse(way.url(kept, "our state", BACK)))


async def granted(rig: Rig, brought: dict[str, str], **instead: str) -> Grant:
    way = rig.spec.login.redirect
    assert way is not None
    kept = rig.kept(**instead)
    return await rig.run(way.exchange(kept, brought, rig.driver.ctx()), kept)


@case("LOGIN-01")
async def _(rig: Rig) -> None:
    """A session is proved by one harmless call, which names the client."""
    assert await rig.check() == rig.client


@case("LOGIN-02")
async def _(rig: Rig) -> None:
    """A token that the broker never gave is no session."""
    daily = {field.name: "never-given" for field in rig.spec.login.daily}
    with pytest.raises(SessionExpired):
        await rig.check(rig.session_of({**rig.simulator.credentials, **daily}))


@case("LOGIN-03")
async def _(rig: Rig) -> None:
    """A session that has died is told as such, and as nothing else."""
    rig.simulator.expire_token()
    with pytest.raises(SessionExpired) as caught:
        await rig.check()
    assert caught.value.sent


@case("LOGIN-04")
async def _(rig: Rig) -> None:
    """With a session that was refused nothing is asked any more; a new login is asked with at once."""
    rig.simulator.expire_token()
    with pytest.raises(SessionExpired):
        await rig.check()
    with pytest.raises(SessionExpired) as caught:
        await rig.check()
    assert not caught.value.sent
    rig.log_in()
    assert await rig.check() == rig.client


@case("LOGIN-05")
async def _(rig: Rig) -> None:
    """A login elsewhere takes the session over: the older one is dead."""
    older = rig.session
    rig.log_in()
    with pytest.raises(SessionExpired):
        await rig.check(older)


@case("LOGIN-06")
async def _(rig: Rig) -> None:
    """A broker in trouble (HTTP 503) says nothing about the session."""
    rig.simulator.faults.refuse_requests(503)
    with pytest.raises(Unknown):
        await rig.check()
    assert await rig.check() == rig.client


@case("LOGIN-07", needs.PAGE)
async def _(rig: Rig) -> None:
    """The login page leads to a grant, which makes a session."""
    grant = await granted(rig, await callback(rig))
    assert grant.client_id == rig.client
    session = rig.session_of({**rig.kept().secrets, **grant.secrets}, 2, hosts={**rig.simulator.hosts, **grant.hosts})
    assert await rig.check(session) == rig.client


@case("LOGIN-08", needs.PAGE, needs.STATE)
async def _(rig: Rig) -> None:
    """The login page returns our signed state untouched."""
    assert (await callback(rig))["state"] == "our state"


@case("LOGIN-09", needs.PAGE)
async def _(rig: Rig) -> None:
    """What the page gave is good for one session: brought again, it is refused or leads to the same, whatever second
    token the keys make beside it."""
    brought = await callback(rig)
    first = await granted(rig, brought)
    with suppress(Refused):
        again = await granted(rig, brought)
        assert (again.client_id, again.secrets["access_token"]) == (first.client_id, first.secrets["access_token"])


@case("LOGIN-10", needs.PAGE)
async def _(rig: Rig) -> None:
    """A wrong secret gives no session."""
    secrets = [field.name for field in rig.spec.login.kept if field.kind == "secret"]
    with pytest.raises(Refused):
        await granted(rig, await callback(rig), **dict.fromkeys(secrets, "wrong"))


@case("LOGIN-11", needs.PAGE)
async def _(rig: Rig) -> None:
    """A login that the user broke off is told so, and nothing is asked."""
    with pytest.raises(InvalidInput):
        await granted(rig, {"status": "cancelled"})


@case("LOGIN-12", needs.STEPS)
async def _(rig: Rig) -> None:
    """A login by steps asks what it announced, and ends with a grant."""
    steps = rig.spec.login.steps
    assert steps is not None
    answers, kept = rig.stand.answers(rig.simulator), rig.kept()
    carried: dict[str, str] = {}
    for _ in range(5):
        got = await rig.run(steps.run(kept, answers, carried, rig.driver.ctx()), kept)
        if isinstance(got, Grant):
            break
        assert {field.name for field in got.fields} <= answers.keys()
        carried = dict(got.carried)
    assert isinstance(got, Grant)
    session = rig.session_of({**kept.secrets, **got.secrets}, 2, hosts={**rig.simulator.hosts, **got.hosts})
    assert await rig.check(session) == rig.client == got.client_id


@case("LOGIN-13", needs.STEPS)
async def _(rig: Rig) -> None:
    """Wrong answers to a login by steps give no session."""
    steps = rig.spec.login.steps
    assert steps is not None
    kept = rig.kept(**{field.name: "wrong" for field in rig.spec.login.kept if field.required})
    wrong = dict.fromkeys(rig.stand.answers(rig.simulator), "wrong")
    with pytest.raises(SangamError):
        await rig.run(steps.run(kept, wrong, {}, rig.driver.ctx()), kept)


@case("LOGIN-14", needs.RENEWAL, needs.PAGE)
async def _(rig: Rig) -> None:
    """A session is prolonged: the renewed one works."""
    first = await granted(rig, await callback(rig))
    rig.session = rig.session_of({**rig.kept().secrets, **first.secrets}, 2)
    assert rig.spec.login.renew is not None
    grant = await rig.run(rig.spec.login.renew(rig.session, rig.driver.ctx()))
    assert await rig.check(rig.session_of({**rig.session.secrets, **grant.secrets}, 3)) == rig.client


@case("LOGIN-15", needs.LOGOUT)
async def _(rig: Rig) -> None:
    """A logout ends the session at the broker, and doing it twice is no error."""
    assert rig.spec.login.logout is not None
    await rig.run(rig.spec.login.logout(rig.session, rig.driver.ctx()))
    again = msgspec.structs.replace(rig.session, generation=2)
    with pytest.raises(SessionExpired):
        await rig.check(again)
    third = msgspec.structs.replace(rig.session, generation=3)
    await rig.run(rig.spec.login.logout(third, rig.driver.ctx()), third)


@case("LOGIN-16", needs.STREAMS)
async def _(rig: Rig) -> None:
    """A new login while streaming: what was wanted streams on."""
    share = await rig.share()
    async with rig.streaming() as feed:
        feed.want(share, Mode.QUOTE)
        await feed.shows(share, Mode.QUOTE)
        rig.log_in()
        await feed.open()
        await feed.live()
        rig.trade()
        await feed.shows(share, Mode.QUOTE)


@case("LOGIN-17", needs.STREAMS)
async def _(rig: Rig) -> None:
    """Another program takes the session while we stream: the feed stops, and never knocks again by itself."""
    share = await rig.share()
    async with rig.streaming() as feed:
        feed.want(share)
        await feed.shows(share)
        rig.simulator.replace_session()
        await feed.state(*DEAD)
        with pytest.raises(BrokerError):
            await rig.check()
        rig.log_in()
        await feed.open()
        await feed.shows(share)


@case("LOGIN-18", needs.STREAMS)
async def _(rig: Rig) -> None:
    """The session dies while we stream: the feed stops, and a login brings everything back."""
    share = await rig.share()
    async with rig.streaming() as feed:
        feed.want(share)
        await feed.shows(share)
        rig.simulator.expire_token()
        await feed.state(*DEAD)
        rig.log_in()
        await feed.open()
        await feed.live()
        await feed.shows(share)


@case("LOGIN-19", needs.STREAMS)
async def _(rig: Rig) -> None:
    """A session past its hour opens no socket, even where the broker would take it."""
    rig.session = msgspec.structs.replace(rig.session, expires_at=rig.clock.now_ms() - 1)
    async with rig.streaming() as feed:
        feed.want(await rig.share())
        await feed.state(*DEAD)
        assert not rig.simulator.sessions
