"""LOGIN and INSTR: the session, and the day's list of instruments."""

from collections.abc import Sequence

import msgspec

from sangam.model.enums import Exchange as Code
from sangam.model.errors import SessionExpired
from sangam.model.instrument import Instrument

from . import needs
from .checks import LISTED, PROVED, Wrong, check, expect
from .subject import Subject

_SAMPLES = 200
FEW = 3


@check(PROVED, after=())
async def _(subject: Subject) -> None:
    """A session is proved by one harmless call, which names the client."""
    client, known = await subject.check(), subject.account.client_id
    expect(client, "the broker names no client")
    expect(known in ("", client), "the broker names another client than at the login")


@check("LOGIN-02", after=(PROVED,))
async def _(subject: Subject) -> None:
    """A token that the broker never gave is no session."""
    daily = {field.name: "never-given" for field in subject.spec.login.daily}
    secrets = {**subject.session.secrets, **daily}
    name = f"{subject.account.id}, with a false token"
    # As in a login, by its generation: what is refused there is asked again the next time.
    stranger = msgspec.structs.replace(subject.session, account=name, generation=0, secrets=secrets)
    try:
        await subject.check(stranger)
    except SessionExpired:
        return
    raise Wrong("the broker answered as to a session of its own")


@check(LISTED, after=(PROVED,))
async def _(subject: Subject) -> None:
    """Each symbol, each broker symbol and each token names one instrument, and all three lead to it (a sample)."""
    master = await subject.master()
    shares = (await subject.survey()).shares
    expect(master.count > 0, "the list is empty")
    for one in shares[:: max(1, len(shares) // _SAMPLES)]:
        for found in (
            master.lookup(one.symbol, one.exchange.value),
            master.by_brsymbol(one.brsymbol, one.brexchange),
            master.by_token(one.token, one.exchange.value),
        ):
            expect(found == one, f"a name of {one.exchange}:{one.symbol} leads elsewhere")


def of_exchange(number: int, code: Code) -> None:
    @check(f"INSTR-{number:02d}", needs.exchange(code), title=f"{code}: names, ticks, lots, expiries and strikes")
    async def _(subject: Subject) -> None:
        found = await subject.survey()
        expect(found.listed[code], f"no instrument of {code} is listed")
        none_of(found.faults.get(code, ()), "faulty rows")


for _number, _code in enumerate(needs.EXCHANGES, 2):
    of_exchange(_number, _code)


@check("INSTR-14")
async def _(subject: Subject) -> None:
    """Nothing that has expired is listed."""
    none_of((await subject.survey()).expired, "expired contracts are listed")


@check("INSTR-15", needs.exchange(Code.NSE_INDEX), needs.exchange(Code.BSE_INDEX))
async def _(subject: Subject) -> None:
    """Indices bear our names, whatever the broker calls them."""
    master = await subject.master()
    for symbol, code in (("NIFTY", Code.NSE_INDEX), ("BANKNIFTY", Code.NSE_INDEX), ("SENSEX", Code.BSE_INDEX)):
        index: Instrument = master.lookup(symbol, code.value)
        expect(index.exchange is code, f"{symbol} is on {index.exchange}")


@check("INSTR-16")
async def _(subject: Subject) -> None:
    """The symbol of a derivative says what its fields say."""
    none_of((await subject.survey()).misnamed, "symbols say something else")


@check("INSTR-17")
async def _(subject: Subject) -> None:
    """On each stream, no two instruments go by the same key."""
    for stream, names in (await subject.survey()).twice.items():
        none_of(names, f"instruments share a key of the stream '{stream}'")


def none_of(found: Sequence[str], what: str) -> None:
    more = " ..." if len(found) > FEW else ""
    expect(not found, f"{len(found)} {what}: {', '.join(found[:FEW])}{more}")
