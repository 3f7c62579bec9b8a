"""The lines of keys and rows in TOML, however they are written."""

import pytest

from sangam.brokers.toml_lines import Step, line_of

FILE = '''
title = "a = 1"  # line 2
a.b.c = 1

limits = [
    ["orders", 10, 1.0],  # ] 6
    # a row of two lines
    ["data", [
        "x"], { deep = [1,
        2] }],
]
text = """
[hosts]
rest = "not here"
"""
other = \'\'\'
[hosts]\'\'\'
"quoted key".sub = 2

[hosts]
rest = "https://example.com"
"odd key" = 1

[hosts.more]
last = { one = 1, two = [2] }
[[rows]]
name = "first"
[[rows]]
name = "second"
'''


@pytest.mark.parametrize(
    ("steps", "line"),
    [
        (("title",), 2),
        (("a",), 3),
        (("a", "b", "c"), 3),
        (("limits",), 5),
        (("limits", 0), 6),
        (("limits", 0, 2), 6),
        (("limits", 1), 8),
        (("limits", 1, 1, 0), 9),
        (("limits", 1, 2, "deep", 1), 10),
        (("text",), 12),
        (("other",), 16),
        (("quoted key", "sub"), 18),
        (("hosts",), 20),
        (("hosts", "rest"), 21),
        (("hosts", "odd key"), 22),
        (("hosts", "more"), 24),
        (("hosts", "more", "last", "two", 0), 25),
        (("rows", 0), 26),
        (("rows", 1, "name"), 29),
    ],
)
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_the_line_of_a_key_or_row(steps: tuple[Step, ...], line: int, newline: str) -> None:
    assert line_of(FILE.replace("\n", newline), steps) == line


def test_what_is_not_there_is_told_by_what_it_would_stand_in() -> None:
    assert line_of(FILE, ("hosts", "stream")) == 20
    assert line_of(FILE, ("limits", 7)) == 5
    assert line_of(FILE, ("nothing", "at", "all")) == 1
    assert line_of(FILE, ()) == line_of("", ("x",)) == 1


def test_a_long_file_takes_no_time() -> None:
    text = "\n".join(f"key{number} = [\n{number},\n]" for number in range(2000))
    assert line_of(text, ("key1500", 0)) == 4502
