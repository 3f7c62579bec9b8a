from datetime import datetime

from hypothesis import given
from hypothesis import strategies as st

from sangam.accounts.signing import Signer
from sangam.model.clock import IST, ManualClock

START = datetime(2026, 8, 3, 10, 0, tzinfo=IST)


@given(st.text(), st.integers(1, 10_000))
def test_a_signed_text_comes_back_until_its_time_is_over(text: str, seconds: int) -> None:
    clock = ManualClock(START)
    signer = Signer(b"k" * 32, clock)
    signed = signer.sign(text.encode("utf-8", "replace").decode(), seconds)
    assert all(char.isascii() and (char.isalnum() or char in "-_") for char in signed)
    clock.advance(seconds - 1)
    assert signer.open(signed) == text.encode("utf-8", "replace").decode()
    clock.advance(1)
    assert signer.open(signed) is None


@given(st.data())
def test_what_was_altered_or_signed_elsewhere_does_not_open(data: st.DataObject) -> None:
    clock = ManualClock(START)
    signer = Signer(b"k" * 32, clock)
    signed = signer.sign("state/abc", 600)
    assert Signer(b"x" * 32, clock).open(signed) is None
    place = data.draw(st.integers(0, len(signed) - 2))  # the last character has bits that mean nothing
    char = data.draw(st.sampled_from([char for char in "ABCxyz019-_!ä " if char != signed[place]]))
    assert signer.open(signed[:place] + char + signed[place + 1 :]) is None


@given(st.text())
def test_nonsense_does_not_open(text: str) -> None:
    assert Signer(b"k" * 32, ManualClock(START)).open(text) is None
