"""All cases: each group has a file of its name, and reading it enters its cases into the matrix."""

from importlib import import_module

from tests.conformance.matrix import CASES

from sangam.verify.needs import GROUPS

__all__ = ["CASES"]

for _group in GROUPS:
    import_module(f"tests.conformance.{_group.lower()}")
