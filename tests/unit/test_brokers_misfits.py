"""Where what somebody wrote does not fit, and what is said of it."""

from collections.abc import Mapping
from typing import Any

import msgspec
import pytest

from sangam.brokers.misfits import leaves, misfit, shown
from sangam.brokers.toml_lines import Step


class Inner(msgspec.Struct, forbid_unknown_fields=True):
    one: int
    more: Mapping[str, Mapping[str, int]] = {}


class Outer(msgspec.Struct, forbid_unknown_fields=True):
    rows: list[Inner] = []
    named: Mapping[str, Inner] = {}
    codes: Mapping[int, str] = {}


GOOD = {"one": 1}


@pytest.mark.parametrize(
    ("said", "steps", "text"),
    [
        ({"rows": 1}, ("rows",), "'rows': expected array, got int"),
        ({"rows": [GOOD, {"one": "x"}]}, ("rows", 1, "one"), "'rows[1].one': expected int, got str"),
        ({"rows": [GOOD, {}]}, ("rows", 1), "'one' is missing"),
        ({"rows": [{"one": 1, "two": 2}]}, ("rows", 0, "two"), "'two' is not known"),
        ({"more": 1}, ("more",), "'more' is not known. There may be: rows, named, codes"),
        ({"named": {"a": GOOD, "b": {"one": "x"}}}, ("named", "b", "one"), "'named.b.one': expected int, got str"),
        (
            {"named": {"a": GOOD, "b": {"one": 1, "more": {"c": {"d": 1}, "e": {"f": 1, "g": "x"}}}}},
            ("named", "b", "more", "e", "g"),
            "'named.b.more.e.g': expected int, got str",
        ),
        ({"codes": {"x": "y"}}, ("codes",), "'codes': expected int, got str"),
    ],
)
def test_the_place_and_the_words(said: Mapping[str, Any], steps: tuple[Step, ...], text: str) -> None:
    with pytest.raises(msgspec.ValidationError) as caught:
        msgspec.convert(said, Outer)
    assert misfit(Outer, said, caught.value) == (steps, text)


def test_every_value_has_its_way() -> None:
    said = {"a": 1, "b": [{"c": "x"}, []], "d": {}}
    assert [(shown(steps), value) for steps, value in leaves(said)] == [("a", 1), ("b[0].c", "x")]
