"""Operations driven by canned replies, as a driver hands them over."""

from collections.abc import Mapping
from typing import Any, NamedTuple, TypeVar

from sangam.brokers.contract import BrokerSpec, Operation, Reply, Request
from sangam.model.errors import BrokerError

T = TypeVar("T")


class Canned(NamedTuple):
    """One reply: a JSON value, a text or the bytes of a file."""

    payload: Any
    status: int = 200
    headers: Mapping[str, str] = {}


class Told(NamedTuple):
    result: Any
    requests: list[Request]

    @property
    def request(self) -> Request:
        (request,) = self.requests
        return request


def drive(spec: BrokerSpec, operation: Operation[T], *replies: Any) -> Told:
    """Run an operation to its end, with one reply for each of its requests (what is no `Canned` is the payload of an
    HTTP 200). Its errors are those of the broker's check."""
    left, requests = list(replies), []

    def ask(request: Request) -> Any:
        requests.append(request)
        reply = left.pop(0)
        reply = reply if isinstance(reply, Canned) else Canned(reply)
        return spec.check(request, Reply(reply.status, reply.headers, reply.payload))

    try:
        step = next(operation)
        while True:
            try:
                answer = [ask(each) for each in step] if isinstance(step, list) else ask(step)
            except BrokerError as error:
                step = operation.throw(error)
            else:
                step = operation.send(answer)
    except StopIteration as stop:
        assert not left, f"replies that nobody asked for: {left}"
        return Told(stop.value, requests)


def conduct(spec: BrokerSpec, operation: Operation[Any], *replies: tuple[int, Any]) -> tuple[list[Request], Any]:
    """The same with replies as status and payload: what was asked for, and the result."""
    told = drive(spec, operation, *(Canned(payload, status) for status, payload in replies))
    return told.requests, told.result


def result(spec: BrokerSpec, operation: Operation[Any], *replies: tuple[int, Any]) -> Any:
    return conduct(spec, operation, *replies)[1]
