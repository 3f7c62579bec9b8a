"""Brokers that are one file: the page's own, run through the cases against their families' simulators."""

import os
import re
from importlib import import_module

import pytest
from tests.conformance.cases import CASES
from tests.conformance.matrix import Case, skip
from tests.conformance.rig import rig_for
from tests.conformance.stands import DECLARED
from tests.support import ROOT

from sangam.brokers import families
from sangam.brokers.declared import known_families
from sangam.brokers.registry import Registry

PAGE = (ROOT / "docs" / "adding-a-broker.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r"`sangam_brokers/(\w+)\.toml`[^`]*\n```toml\n(.*?)```", PAGE, re.DOTALL))
"""The text of each, by the broker's name."""

WHOLE = {"LOGIN", "INSTR", "DATA"}
"""The groups that a table makes most difference to; of the others the first case is run. `make matrix` runs all."""
CHOSEN = [
    case for case in CASES.values() if case.group in WHOLE or case.id.endswith("-01") or "SANGAM_MATRIX" in os.environ
]


@pytest.fixture(scope="module")
def brokers(tmp_path_factory: pytest.TempPathFactory) -> Registry:
    folder, known = tmp_path_factory.mktemp("declared"), Registry([])
    for name, text in FILES.items():
        (folder / f"{name}.toml").write_text(text, encoding="utf-8")
        known = known.declared(folder / f"{name}.toml")
    return known


@pytest.mark.parametrize("family", known_families())
def test_the_page_tells_every_key_of_a_family(family: str) -> None:
    member = import_module(f"{families.__name__}.{family}").Member
    tables = (PAGE.partition(f"| key | {whose} |")[2].partition("\n\n")[0] for whose in ("every family", f"`{family}`"))
    told = {key for row in re.findall(r"^\| (`.+?) \|", "".join(tables), re.MULTILINE) for key in row.split("`")[1::2]}
    assert told - {"family", "ask"} == {*member.__struct_fields__} - {"name"}


def test_each_broker_of_the_page_has_a_stand() -> None:
    assert FILES.keys() == DECLARED.keys()


@pytest.mark.parametrize(
    ("name", "case"), [pytest.param(name, case, id=f"{name}-{case.id}") for name in DECLARED for case in CHOSEN]
)
async def test_case(brokers: Registry, name: str, case: Case) -> None:
    spec, stand = brokers[name], DECLARED[name]
    if skipped := skip(case, spec, stand.absent):
        pytest.skip(f"{spec.title}: {skipped}")
    async with rig_for(spec, stand, case.world) as rig:
        await case.act(rig)
