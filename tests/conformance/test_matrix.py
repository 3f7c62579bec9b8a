"""The matrix, run: every case for every broker of the registry, against its simulator."""

import re
from collections import Counter
from pathlib import Path

import pytest
from tests.conformance.cases import CASES
from tests.conformance.matrix import Case, skip
from tests.conformance.rig import rig_for
from tests.conformance.stands import STANDS

from sangam.brokers import registry
from sangam.brokers.contract import BrokerSpec
from sangam.verify.needs import GROUPS

BROKERS = list(registry.load())


@pytest.mark.parametrize(
    ("spec", "case"),
    [pytest.param(spec, case, id=f"{spec.name}-{case.id}") for spec in BROKERS for case in CASES.values()],
)
async def test_case(spec: BrokerSpec, case: Case) -> None:
    stand = STANDS[spec.name]
    if skipped := skip(case, spec, stand.absent):
        pytest.skip(f"{spec.title}: {skipped}")
    async with rig_for(spec, stand, case.world) as rig:
        await case.act(rig)


def test_every_broker_has_a_stand_and_a_reason_for_each_skip() -> None:
    assert STANDS.keys() == {spec.name for spec in BROKERS}
    for spec in BROKERS:
        for case in CASES.values():
            skip(case, spec, STANDS[spec.name].absent)


def test_only_the_stands_know_a_broker() -> None:
    names = {name for spec in BROKERS if not spec.simulated for name in (spec.name, *spec.aliases)}
    for path in Path(__file__).parent.glob("*.py"):
        if path.name != "stands.py":
            text = path.read_text(encoding="utf-8").casefold()
            assert not {name for name in names if re.search(rf"\b{name}\b", text)}, path.name


def test_the_cases_are_numbered_without_gaps_and_all_have_a_title() -> None:
    counts = Counter(case.group for case in CASES.values())
    assert counts.keys() == GROUPS.keys()
    for group, count in counts.items():
        assert [case.id for case in CASES.values() if case.group == group] == [
            f"{group}-{number:02d}" for number in range(1, count + 1)
        ]
    assert all(re.fullmatch(r"\S.{10,}", case.title) for case in CASES.values())
    assert len(CASES) >= 70
