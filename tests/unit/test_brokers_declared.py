"""Brokers that a file declares: made of a family's table, or refused by file and line, or named as not configured."""

import json
import re
import sys
import tomllib
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support import ROOT

from sangam.brokers import declared, families, registry
from sangam.brokers.contract import BrokerSpec, Ctx, Limit, Session
from sangam.brokers.declared import Declaration, Unconfigured
from sangam.brokers.registry import Registry
from sangam.model.enums import Exchange
from sangam.model.errors import BrokerNotConfigured, ConfigError, UnknownBroker

GOOD = """\
family = "toy"
title = "Acme Securities"
aliases = ["acme sec"]
login = "page"
exchanges = ["NSE", "NFO"]
limits = [
    { lane = "orders", count = 10, window = 1.0, reserve = 2 },
    { lane = "data", count = 5, window = 1 },
]
session_ends = "06:00"
segments.NSE = { code = 1 }
segments.NFO.code = 2

[hosts]
api = "https://api.acme.example"
stream = "wss://ws.acme.example:8443"
"""

UNTOLD = 'title = "Zenith"\nask.family = "which interface"\nask.hosts = "which servers"\nask.login = "which login"\n'


@pytest.fixture(autouse=True)
def toy(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The tests' family beside the house's own."""
    monkeypatch.setattr(families, "__path__", [*families.__path__, str(ROOT / "tests" / "families")])
    yield
    sys.modules.pop("sangam.brokers.families.toy", None)
    vars(families).pop("toy", None)


def written(folder: Path, text: str, name: str = "acme.toml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def faults(folder: Path, text: str) -> str:
    """What is told of a file, without its path."""
    path = written(folder, text)
    with pytest.raises(ConfigError) as caught:
        Registry([]).declared(path)
    place, _, told = str(caught.value).partition(", ")
    assert place == str(path)
    return told


# --- good ones --------------------------------------------------------------------------------------------------------


def test_a_file_is_a_broker_of_its_family(tmp_path: Path) -> None:
    known = Registry([]).declared(written(tmp_path, GOOD))
    spec = known["Acme Sec"]
    assert (spec.name, spec.title, known.names, known.unconfigured) == ("acme", "Acme Securities", ["acme"], [])
    assert spec.hosts == {"api": "https://api.acme.example", "stream": "wss://ws.acme.example:8443"}
    assert spec.exchanges == {Exchange.NSE, Exchange.NFO}
    assert spec.limits == (Limit("orders", 10, 1.0, 2), Limit("data", 5, 1.0), Limit("login", 1, 1.0))


def test_without_limits_of_its_own_it_has_those_of_the_family(tmp_path: Path) -> None:
    text = re.sub(r"limits = \[.*?^\]$", "", GOOD, flags=re.DOTALL | re.MULTILINE)
    spec = Registry([]).declared(written(tmp_path, text))["acme"]
    assert spec.limits == (Limit("orders", 5, 1.0), Limit("login", 1, 1.0))


def test_a_file_may_say_its_name_and_come_from_any_editor(tmp_path: Path) -> None:
    path = tmp_path / "acme.toml"
    path.write_bytes(b"\xef\xbb\xbf" + f'name = "acme"\n{GOOD}'.replace("\n", "\r\n").encode())
    assert Registry([]).declared(path).names == ["acme"]


def test_a_server_on_this_machine_needs_no_encryption(tmp_path: Path) -> None:
    path = written(tmp_path, GOOD.replace("https://api.acme.example", "http://127.0.0.1:8080"))
    assert Registry([]).declared(path)["acme"].hosts["api"] == "http://127.0.0.1:8080"


# --- faults -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('"toy"', '"cobol"', r"line 1: there is no family 'cobol'\. Families: .*toy.*\."),
        ('"toy"', "7", r"line 1: 'family': expected str, got int\."),
        ('"toy"', '"hsm"', r"line 1: there is no family 'hsm'\. Families: .*\."),
        ('title = "Acme Securities"', "", r"line 1: 'title' is missing\."),
        ('"Acme Securities"', "5", r"line 2: 'title': expected str, got int\."),
        ('login = "page"', "", r"line 1: 'login' is missing\."),
        ('"page"', '"face"', r"line 4: 'login': invalid enum value 'face'\."),
        ('"NFO"', '"NASDAQ"', r"line 5: 'exchanges\[1\]': invalid enum value 'NASDAQ'\."),
        ("count = 5", 'count = "x"', r"line 8: 'limits\[1\]\.count': expected int, got str\."),
        ("count = 5", "count = 0", r"line 8: 'limits\[1\]\.count': expected int >= 1\."),
        ("count = 5, ", "", r"line 8: 'count' is missing\."),
        ("window = 1 ", "windows = 1 ", r"line 8: 'windows' is not known\."),
        ("window = 1 ", "window = inf ", r"line 8: 'limits\[1\]\.window': inf is no number from 0 up\."),
        ('"data"', '"date"', r"line 8: 'limits\[1\]': there is no lane 'date'\. Lanes: data, login, orders\."),
        ("reserve = 2", "reserve = 10", r"line 7: 'limits\[0\]': a reserve of 10 leaves nothing of it\."),
        ('["NSE", "NFO"]', "[]", r"line 5: 'exchanges': there is none\."),
        ("06:00", "25:00", r"line 10: 'session_ends': '25:00' is no hour such as 06:00\."),
        ('"06:00"', "06:00:00", r"line 10: 'session_ends': expected str, got time\."),
        ("Acme Securities", "ACME", r"line 2: 'title': the title shouts\."),
        ("\n[hosts]", "sockets = 0\n[hosts]", r"line 1: its sockets carry nothing: give them at least one .*"),
        ("{ code = 1 }", "{ code = -1 }", r"line 11: 'segments\.NSE\.code': -1 is no number from 0 up\."),
        ("{ code = 1 }", '{ code = "x" }', r"line 11: 'segments\.NSE\.code': expected int, got str\."),
        ("segments.NFO.code = 2", "segments.NFO.lots = true", r"line 12: 'code' is missing\."),
        ("segments.NFO.code", "segments.NFO.kode", r"line 12: 'kode' is not known\."),
        ("segments.NFO.code", "segments.NFU.code", r"line 12: 'segments\.NFU': invalid enum value 'NFU'\."),
        ("\n[hosts]", 'colour = "red"\n[hosts]', r"line 13: 'colour' is not known\. There may be: name, title, .*\."),
        ("[hosts]\napi", "[hosts]\nopi", r"line 14: 'hosts': 'hosts' lacks api\."),
        ('"wss://ws', '7 # "wss://ws', r"line 16: 'hosts\.stream': expected str, got int\."),
        ("https://api", "http://api", r"line 15: Host 'api' at api\.acme\.example must be encrypted \(.*\)\."),
        ('"https://api.acme.example"', '"api.acme.example"', r"line 15: Host 'api' needs a whole URL such as .*\."),
        ("://ws", "://http://ws", r"line 16: Host 'stream' needs a whole URL such as .*\."),
        ("ws.acme", "ws acme", r"line 16: Host 'stream' needs a whole URL such as .*\."),
        ("8443", "port", r"line 16: Host 'stream' needs a whole URL such as .*\."),
        ("family", 'name = "zenith"\nfamily', r"line 1: the file's name makes it 'acme', not 'zenith': leave it out\."),
        ('"page"', "page", r"line 4, column 9: this is no TOML: invalid value\. Correct it\."),
        ("[hosts]", "[hosts]\n[hosts]", r"line 15, column 7: this is no TOML: cannot declare \('hosts',\) twice\. .*"),
        ('"wss://ws.acme.example:8443"', '"""', r"line 16, the end: this is no TOML: unterminated string\. .*"),
    ],
)
def test_a_fault_names_file_and_line(tmp_path: Path, old: str, new: str, told: str) -> None:
    assert old in GOOD
    assert re.fullmatch(told, faults(tmp_path, GOOD.replace(old, new, 1)))


def test_a_host_is_told_by_the_line_it_comes_from_whatever_else_is_like_it(tmp_path: Path) -> None:
    text = f'name = "acme"\n{GOOD}'.replace("wss://ws.acme", "ws://ws.acme")
    assert faults(tmp_path, text).startswith("line 17: Host 'stream' at ws.acme.example must be encrypted")


def inline(value: Any) -> str:
    """As TOML in one line."""
    match value:
        case dict():
            return "{" + ", ".join(f"{json.dumps(key)} = {inline(each)}" for key, each in value.items()) + "}"
        case list():
            return "[" + ", ".join(map(inline, value)) + "]"
        case _:
            return json.dumps(value)


VALUES = st.recursive(
    st.booleans() | st.integers(-9, 9) | st.sampled_from(["", "NSE", "page", "https://a.example", "hosts", "title"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["NSE", "NFO", "code", "api", "title", "a b"]), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(changes=st.dictionaries(st.sampled_from([*tomllib.loads(GOOD), "ask", "name", "more"]), VALUES, min_size=1))
@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_whatever_a_file_says_costs_that_file_alone_and_a_line_is_told(
    tmp_path: Path, changes: Mapping[str, Any]
) -> None:
    text = "\n".join(f"{key} = {inline(value)}" for key, value in {**tomllib.loads(GOOD), **changes}.items())
    told = ""
    try:
        Registry([]).declared(written(tmp_path, text))
    except ConfigError as error:
        told = str(error)
    assert not told or re.search(r"acme\.toml, line \d+: ", told)


def test_what_is_no_text_is_told(tmp_path: Path) -> None:
    path = tmp_path / "acme.toml"
    path.write_bytes(GOOD.encode() + b"\xff")
    with pytest.raises(ConfigError, match=r"acme.toml: byte \d+ is no UTF-8. Save the file as UTF-8."):
        Declaration(path)


@pytest.mark.parametrize("name", ["Acme.toml", "9lives.toml", "ac-me.toml", "a me.toml"])
def test_a_file_is_named_as_brokers_are(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match=r"a broker's name is a-z, 0-9 and _, .*Rename the file"):
        Declaration(written(tmp_path, GOOD, name))


def test_a_name_that_is_taken_is_refused_and_so_is_an_alias(tmp_path: Path) -> None:
    known = Registry([]).declared(written(tmp_path, GOOD))
    with pytest.raises(
        ConfigError, match=r"zenith.toml, line 3: the name 'ACME' is taken already: leave this alias out"
    ):
        known.declared(written(tmp_path, GOOD.replace("acme sec", "ACME"), "zenith.toml"))
    with pytest.raises(
        ConfigError, match=r"acme.toml, line 1: the name 'acme' is taken .*: give the file another name"
    ):
        known.declared(written(tmp_path, GOOD))
    with pytest.raises(ConfigError, match="taken already"):
        known.declared(written(tmp_path, UNTOLD))


def test_a_bad_file_spares_the_others(tmp_path: Path) -> None:
    written(tmp_path, GOOD)
    written(tmp_path, "title", "broken.toml")
    (tmp_path / "folder.toml").mkdir()
    told: dict[str, str] = {}
    known = registry.with_files(Registry([]), [tmp_path], lambda name, error: told.update({name: str(error)}))
    assert known.names == ["acme"]
    assert told.keys() == {"broken", "folder"}
    assert "broken.toml, line 1" in told["broken"]


# --- not configured ---------------------------------------------------------------------------------------------------


def test_without_a_family_it_is_named_and_choosing_it_says_what_to_ask_and_where_it_goes(tmp_path: Path) -> None:
    known = Registry([]).declared(written(tmp_path, GOOD)).declared(written(tmp_path, UNTOLD, "zenith.toml"))
    assert (known.names, len(known)) == (["acme"], 1)
    assert [one.name for one in known.unconfigured] == ["zenith"]
    with pytest.raises(BrokerNotConfigured) as caught:
        known["Zenith"]
    assert caught.value.asks == {"family": "which interface", "hosts": "which servers", "login": "which login"}
    assert str(caught.value) == (
        "Zenith ('zenith') is not configured, and nothing is guessed. Ask the broker for\n"
        "- family: which interface\n- hosts: which servers\n- login: which login\n"
        "Write the answers into sangam_brokers/zenith.toml in the home folder (SANGAM_HOME, else ~/.sangam), as "
        "docs/adding-a-broker.md shows, and start again."
    )
    with pytest.raises(BrokerNotConfigured):
        known.narrowed(["acme", "zenith"])
    narrowed = known.narrowed(["acme"])
    assert narrowed.unconfigured == []
    with pytest.raises(UnknownBroker):
        narrowed["zenith"]


def test_the_page_shows_such_a_file(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "adding-a-broker.md").read_text(encoding="utf-8").split("### Not configured\n", 1)[1]
    one = Declaration(written(tmp_path, page.split("```toml\n", 1)[1].split("```", 1)[0])).read()
    assert isinstance(one, Unconfigured)
    assert list(one.asks) == ["family", "hosts"]


def test_what_is_told_is_asked_no_more(tmp_path: Path) -> None:
    one = Declaration(written(tmp_path, f'family = "toy"\nlogin = "page"\n{UNTOLD}')).read()
    assert isinstance(one, Unconfigured)
    assert one.asks == {"hosts": "which servers", "exchanges": "which every broker of 'toy' has"}


def test_a_family_that_is_not_asked_for_is_missing_all_the_same(tmp_path: Path) -> None:
    one = Declaration(written(tmp_path, 'title = "Zenith"\nask.hosts = "which servers"')).read()
    assert isinstance(one, Unconfigured)
    assert list(one.asks) == ["hosts", "family"]
    assert re.fullmatch(r"one of .*toy.*", one.asks["family"])


@pytest.mark.parametrize("ask", ["", 'ask.hosts = "which servers"\n'])
def test_without_a_family_nothing_else_may_be_said(tmp_path: Path, ask: str) -> None:
    told = faults(tmp_path, GOOD.replace("family", f"{ask}famly", 1))
    if ask:
        assert told == "line 2: 'famly' is not known. There may be: title, family, name, aliases, ask."
    else:
        assert re.fullmatch(r"line 1: 'family' is missing. Families: .*toy.*\.", told)


def test_all_answers_make_it_a_broker_and_the_questions_may_stay(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    known = Registry([]).declared(written(tmp_path, UNTOLD))
    told = known.declared(written(tmp_path / "home", f'{GOOD}[ask]\nfamily = "which interface"\n'))
    assert (told.names, told.unconfigured) == (["acme"], [])
    assert isinstance(told["acme"], BrokerSpec)


def test_the_houses_families_can_be_told_from_its_other_shared_wires() -> None:
    assert "toy" in declared.known_families()
    assert "hsm" not in declared.known_families()


# --- the families of the house ----------------------------------------------------------------------------------------

LEAST = {
    "noren": 'host = "a.example"',
    "tradelab": 'hosts = { api = "https://a.example", stream = "wss://a.example" }',
    "xts": 'root = "https://a.example"',
}


def test_each_family_is_tried() -> None:
    assert {*declared.known_families()} == {"toy", *LEAST}


@pytest.mark.parametrize("family", LEAST)
def test_what_every_file_of_a_family_needs_is_enough(tmp_path: Path, family: str) -> None:
    path = written(tmp_path, f'family = "{family}"\ntitle = "Acme"\n{LEAST[family]}\n')
    spec = Registry([]).declared(path)["acme"]
    assert {limit.lane for limit in spec.limits} >= {"orders", "default"}
    assert all(url.startswith(("https://a.example", "wss://a.example")) for url in spec.hosts.values())


@pytest.mark.parametrize("family", LEAST)
def test_a_family_names_every_lane_that_its_requests_wait_in(family: str) -> None:
    room = import_module(f"sangam.brokers.families.{family}")
    source = "".join(path.read_text(encoding="utf-8") for path in Path(room.__path__[0]).glob("*.py"))
    assert {"default", *re.findall(r'\blane(?:=|: str = )"(\w+)"', source)} == room.LANES


@pytest.mark.parametrize("family", LEAST)
@pytest.mark.parametrize("exchange", Exchange)
def test_an_exchange_is_one_of_the_familys_or_refused(tmp_path: Path, family: str, exchange: Exchange) -> None:
    text = f'family = "{family}"\ntitle = "Acme"\n{LEAST[family]}\nexchanges = ["NSE", "{exchange}"]\n'
    told = ""
    try:
        spec = Registry([]).declared(written(tmp_path, text))["acme"]
    except ConfigError as error:
        told = str(error)
    if told:
        assert "line 4: 'exchanges'" in told
    else:
        session = Session(account="a", broker="acme", generation=1, hosts=spec.hosts)
        assert next(spec.instruments.download(session, Ctx(0, bytes)))
