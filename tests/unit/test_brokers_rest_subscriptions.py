"""Subscriptions by requests: one by one, in order, and whatever becomes of one of them."""

from collections.abc import Iterable
from typing import Any, Literal

from sangam.brokers.contract import EMPTY, Call, Confirmed, Notice, Refusal, Request, Result
from sangam.brokers.rest_subscriptions import Kind, RestSubscriptions
from sangam.brokers.wire import Message
from sangam.model.enums import Mode
from sangam.model.errors import BrokerError, RateLimited, Refused, Unknown
from sangam.model.instrument import Level
from sangam.model.market import Key, Patch

LTP, DEPTH = Level(Mode.LTP), Level(Mode.DEPTH)
Asked = tuple[str, Kind, tuple[Key, ...]]


class Codec(RestSubscriptions):
    """Kind 1 tells a price, kind 2 a book, kind 9 what is good to know beside a book."""

    batch = 2

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[Asked] = []

    def kinds_of(self, key: Key, level: Level) -> tuple[Kind, ...]:
        return (1,) if level.mode is Mode.LTP else (9, 2)

    def request(self, action: Literal["subscribe", "leave"], kind: Kind, keys: tuple[Key, ...]) -> Request:
        self.asked.append((action, kind, keys))
        return Request(method="POST", host="api", path="/subscriptions", effect="write")

    def there(self, keys: tuple[Key, ...], payload: Any) -> tuple[Key, ...]:
        """An answer may name them."""
        if isinstance(payload, set):
            return tuple(key for key in keys if key in payload)
        return super().there(keys, payload)

    def subscribed(self, kind: Kind, keys: tuple[Key, ...], payload: Any) -> Iterable[Result]:
        if payload == "?":
            raise Unknown("no answer")
        old: set[Key] = payload if isinstance(payload, set) else set()
        return [Patch(key, {"ltp": 1.0}) for key in keys if key in self.fresh and key not in old]

    def received(self, message: Message) -> Iterable[Result]:
        return ()

    def take_asked(self) -> list[Asked]:
        asked, self.asked = self.asked, []
        return asked


def call_of(results: Iterable[Result]) -> Call:
    """The only request that may be on its way."""
    (call,) = [each for each in results if isinstance(each, Call)]
    return call


def answered(codec: Codec, results: Iterable[Result], payload: Any = None) -> list[Result]:
    """Answer all requests alike; what the codec told."""
    told, results = list[Result](), list(results)
    while calls := [each for each in results if isinstance(each, Call)]:
        assert len(calls) == 1
        results = list(codec.replied(calls[0], payload))
        told += [each for each in results if not isinstance(each, Call)]
    return told


def test_requests_go_out_one_by_one_in_batches() -> None:
    codec = Codec()
    first = call_of(codec.update({"a": LTP, "b": LTP, "c": LTP}))
    assert codec.take_asked() == [("subscribe", 1, ("a", "b"))]
    assert first.keys == ("a", "b")
    assert list(codec.update({"a": LTP, "b": LTP})) == [], "another one is on its way"
    told = list(codec.replied(first, None))
    assert told == [Confirmed(("a", "b")), Patch("a", {"ltp": 1.0}), Patch("b", {"ltp": 1.0})]
    assert codec.take_asked() == []
    assert codec.held == {"a": (1,), "b": (1,)}


def test_a_change_of_level_leaves_one_kind_for_others() -> None:
    codec = Codec()
    answered(codec, codec.update({"a": LTP}))
    codec.take_asked()
    answered(codec, codec.update({"a": DEPTH}))
    assert codec.take_asked() == [("leave", 1, ("a",)), ("subscribe", 9, ("a",)), ("subscribe", 2, ("a",))]
    answered(codec, codec.update({}))
    assert codec.take_asked() == [("leave", 9, ("a",)), ("leave", 2, ("a",))]
    assert codec.held == {}


def test_what_is_dropped_and_wanted_at_once_is_left_before_it_is_subscribed_anew() -> None:
    codec = Codec()
    answered(codec, codec.update({"a": LTP}))
    codec.take_asked()
    leaving = list(codec.update({}))
    assert list(codec.update({"a": LTP})) == []
    told = answered(codec, leaving)
    assert codec.take_asked() == [("leave", 1, ("a",)), ("subscribe", 1, ("a",))]
    assert Patch("a", {"ltp": 1.0}) in told


def test_what_an_earlier_socket_subscribed_is_left_and_subscribed_anew_for_its_snapshot() -> None:
    codec = Codec()
    leave = call_of(codec.replied(call_of(codec.update({"a": LTP})), EMPTY))
    subscribe = call_of(codec.replied(leave, None))
    assert codec.take_asked() == [("subscribe", 1, ("a",)), ("leave", 1, ("a",)), ("subscribe", 1, ("a",))]
    assert list(codec.replied(subscribe, EMPTY)) == [Confirmed(("a",)), Patch("a", {"ltp": 1.0})]


def test_of_some_that_are_new_and_some_that_are_not_those_are_left_and_subscribed_anew() -> None:
    codec = Codec()
    first = call_of(codec.update({"a": LTP, "b": LTP}))
    told = list(codec.replied(first, {"a"}))
    assert told[:2] == [Confirmed(("b",)), Patch("b", {"ltp": 1.0})]
    assert codec.fresh == {"a"}
    assert answered(codec, told) == [Confirmed(("a",)), Patch("a", {"ltp": 1.0})]
    assert codec.take_asked()[1:] == [("leave", 1, ("a",)), ("subscribe", 1, ("a",))]
    assert codec.held == {"a": (1,), "b": (1,)}


def test_what_was_released_while_there_was_no_socket_is_left_by_the_next_one() -> None:
    before, codec = Codec(), Codec()
    answered(before, before.update({"a": DEPTH, "b": LTP, "c": LTP}))
    codec.follow(before)
    answered(codec, codec.update({"a": LTP, "c": LTP}))
    assert codec.take_asked() == [
        ("leave", 9, ("a",)), ("leave", 2, ("a",)), ("leave", 1, ("b",)), ("subscribe", 1, ("a", "c")),
    ]  # fmt: skip
    assert codec.held == {"a": (1,), "c": (1,)}
    answered(codec, codec.update({"c": LTP}))
    assert codec.take_asked() == [("leave", 1, ("a",))]


def test_what_nobody_knows_the_fate_of_is_left_by_the_next_socket_too() -> None:
    before, codec = Codec(), Codec()
    before.update({"a": LTP})
    codec.follow(before)
    answered(codec, codec.update({}))
    assert codec.take_asked() == [("leave", 1, ("a",))]


def test_what_is_there_already_tells_that_all_that_is_wanted_may_be_there() -> None:
    codec = Codec()
    leave = call_of(codec.replied(call_of(codec.update({"a": LTP, "b": LTP, "c": DEPTH})), EMPTY))
    answered(codec, codec.replied(leave, None))
    assert codec.held == {"a": (1,), "b": (1,), "c": (9, 2)}
    codec = Codec()
    codec.replied(call_of(codec.update({"a": LTP, "b": LTP, "c": DEPTH})), EMPTY)
    assert len(codec.held) == 3, "as long as nobody knows better"


def test_a_snapshot_that_is_older_than_the_socket_is_not_told() -> None:
    codec = Codec()
    call = call_of(codec.update({"a": LTP}))
    codec.fresh.discard("a")  # as `received` does
    assert list(codec.replied(call, None)) == [Confirmed(("a",))]
    assert codec.fresh == set()


def failed(codec: Codec, call: Call, error: BrokerError) -> list[Result]:
    return list(codec.failed(call, error))


def test_a_refusal_of_many_is_narrowed_down_to_the_one_it_is_about() -> None:
    codec = Codec()
    no = Refused("no such instrument")
    both = call_of(codec.update({"a": LTP, "b": LTP}))
    one = call_of(failed(codec, both, no))
    told = failed(codec, one, no)
    assert told[0] == Refusal("a", "no such instrument")
    assert Confirmed(("b",)) in codec.replied(call_of(told), None)
    assert codec.take_asked()[1:] == [("subscribe", 1, ("a",)), ("subscribe", 1, ("b",))]
    codec.update({"a": LTP, "b": LTP})
    assert codec.take_asked() == [("subscribe", 1, ("a",))], "wanted again, it is asked for again"


def test_a_refused_instrument_leaves_nothing_behind() -> None:
    codec = Codec()
    prices = call_of(codec.replied(call_of(codec.update({"a": DEPTH})), None))
    assert codec.held == {"a": (9, 2)}
    answered(codec, failed(codec, prices, Refused("no book")))
    assert codec.take_asked() == [("subscribe", 9, ("a",)), ("subscribe", 2, ("a",)), ("leave", 9, ("a",))]
    assert codec.held == {}


def test_what_is_good_to_know_costs_no_instrument() -> None:
    codec = Codec()
    interest = call_of(codec.update({"a": DEPTH}))
    assert interest.keys == ()
    told = failed(codec, interest, Refused("not offered"))
    assert told[0] == Notice("warning", "no 9: not offered")
    assert Confirmed(("a",)) in codec.replied(call_of(told), None)


def test_what_nobody_knows_the_fate_of_is_asked_again_with_the_heartbeat() -> None:
    for error in (Unknown("HTTP 503"), RateLimited("slowly")):
        codec = Codec()
        assert failed(codec, call_of(codec.update({"a": LTP, "b": LTP})), error) == []
        codec.take_asked()
        answered(codec, codec.update({"b": LTP}))
        assert codec.take_asked() == [("leave", 1, ("a",))]
        answered(codec, codec.heartbeat())
        assert codec.take_asked() == [("subscribe", 1, ("b",))], "only as far as it is still wanted"
        assert list(codec.heartbeat()) == []


def test_leaving_what_is_not_there_is_no_trouble() -> None:
    codec = Codec()
    answered(codec, codec.update({"a": LTP}))
    assert failed(codec, call_of(codec.update({})), Refused("not subscribed")) == []
    assert list(codec.heartbeat()) == []


def test_an_answer_that_nobody_can_read_holds_up_nothing() -> None:
    codec = Codec()
    first = call_of(codec.update({"a": LTP, "b": LTP, "c": LTP}))
    second = call_of(codec.replied(first, "?"))
    assert second.keys == ("c",)
    answered(codec, [second])
    answered(codec, codec.heartbeat())
    assert codec.take_asked()[2:] == [("subscribe", 1, ("a", "b"))]
