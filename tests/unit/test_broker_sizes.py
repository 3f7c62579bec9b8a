"""How long a broker is: its folder in logical lines, which are statements without docstrings, however wrapped."""

import ast
import io
import tokenize
from pathlib import Path

import pytest
from tests.support import ROOT

from sangam.brokers import registry

BROKERS = ROOT / "src" / "sangam" / "brokers"
LEAST, MOST, MOST_OF_A_FAMILY = 300, 700, 900
OVER: dict[str, int] = {}
"""Longer than they should be. Such a figure may fall and never rise; below `MOST` the row goes."""


def logical_lines(source: str) -> int:
    ends = sum(token.type == tokenize.NEWLINE for token in tokenize.generate_tokens(io.StringIO(source).readline))
    texts = sum(
        isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        for node in ast.walk(ast.parse(source))
    )
    return ends - texts


def size(folder: Path) -> int:
    return sum(logical_lines(path.read_text(encoding="utf-8")) for path in folder.rglob("*.py"))


def test_wrapping_comments_and_docstrings_do_not_count() -> None:
    source = '"""Doc."""\n# why\nA = (\n    1,\n)\n\n\ndef f() -> int:\n    """Doc."""\n    """More."""\n    return 1\n'
    assert logical_lines(source) == 3


def is_of_a_family(folder: Path) -> bool:
    return any("sangam.brokers.families" in path.read_text(encoding="utf-8") for path in folder.glob("*.py"))


@pytest.mark.parametrize("name", [spec.name for spec in registry.load() if not spec.simulated])
def test_a_broker_is_neither_a_stub_nor_a_novel(name: str) -> None:
    """One of a family has its lines there, and of its own as few as it likes."""
    found = size(BROKERS / name)
    assert found >= LEAST or is_of_a_family(BROKERS / name), f"{name} has {found} logical lines: what is missing?"
    assert found <= OVER.get(name, MOST), f"{name} has {found} logical lines: what is shared goes one floor down"


@pytest.mark.parametrize("name", sorted({path.parent.name for path in (BROKERS / "families").glob("*/__init__.py")}))
def test_a_family_is_no_novel(name: str) -> None:
    found = size(BROKERS / "families" / name)
    assert found <= MOST_OF_A_FAMILY, f"the family {name} has {found} logical lines"
