import pytest
from tests.gateway_support import World

from sangam.feed.port import AccountHealth
from sangam.gateway import about
from sangam.gateway.protocol import Reject
from sangam.gateway.settings import GatewaySettings
from sangam.model.enums import AccountState, Scope
from sangam.model.identity import AccountInfo, Identity

MAIN, OTHER = AccountInfo("u-main", "u", "alpha"), AccountInfo("u-other", "u", "beta")
WHO = Identity(user="u", key_id="k", scopes=frozenset({Scope.DATA}), accounts=(MAIN, OTHER), data_account=MAIN)


def health(account: AccountInfo, state: AccountState) -> AccountHealth:
    return AccountHealth(account=account.id, broker=account.broker, state=state, detail="", since=1)


@pytest.mark.parametrize(
    ("state", "status"),
    [(AccountState.LIVE, "connected"), (AccountState.STALE, "connected"), (AccountState.CONNECTING, "disconnected")],
)
def test_the_adapter_is_that_of_the_data_account(state: AccountState, status: str) -> None:
    outbox = World().client().session.outbox
    states = [health(MAIN, state), health(OTHER, AccountState.LIVE)]
    told = about.broker_info(WHO, states, GatewaySettings(max_subscriptions=7), outbox)
    assert (told["broker"], told["adapter_status"]) == ("alpha", status)
    assert [row["id"] for row in told["accounts"]] == ["u-main", "u-other"]
    assert told["limits"]["subscriptions"] == {"max": 7, "used": 0}


def test_without_an_account_there_is_nothing_to_tell() -> None:
    nobody = Identity(user="u", key_id="k", scopes=frozenset({Scope.DATA}))
    for identity in (None, nobody):
        with pytest.raises(Reject, match="add a broker account first"):
            about.broker_info(identity, [], GatewaySettings(), World().client().session.outbox)
    assert about.welcome(nobody, None)["broker"] == ""


def test_features_are_told_to_those_who_asked() -> None:
    assert "features" not in about.welcome(WHO, None)
    assert about.welcome(WHO, {"refusals", "conflated"})["features"] == ["conflated", "refusals"]


def test_how_long_a_client_has_not_read() -> None:
    outbox = World().client().session.outbox
    assert about.stats(outbox, [], 5, 10.0)["lag_ms"] == 0
    outbox.paused_at = 8.5
    told = about.stats(outbox, [], 5, 10.0)
    assert (told["lag_ms"], told["queued_bytes"]) == (1500, 5)


def test_a_pong_echoes_what_it_was_sent() -> None:
    assert about.pong({}, 5) == {"status": "success", "server_timestamp": 5}
    told = about.pong({"timestamp": 1, "_pingId": "a"}, 5)
    assert (told["client_timestamp"], told["_pingId"]) == (1, "a")
