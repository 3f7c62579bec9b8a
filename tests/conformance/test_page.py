"""docs/capabilities.md is what the tables and the cases say today."""

from tests.conformance.page import PAGE, text


def test_the_page_is_of_today() -> None:
    assert PAGE.read_text(encoding="utf-8") == text(), "run `make matrix`"
