"""How much the kernel computes before it gives up: size, work and time.  TRUSTED.

Work is counted, not timed, so that a proof is too long on every machine or on none: one unit for
every node that is read and every atom of a product of monomials, and for long numbers as much more
as their arithmetic costs.  The clock stands behind that for what the count does not see.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from fractions import Fraction

MAX_BITS = 13_000  # of a numerator or denominator: below 4,000 decimal digits
MAX_WORK = 6_000_000  # eight times what the longest proof of the library needs
MAX_SECONDS = 300.0
SHORT = 64  # bits in all; the arithmetic of shorter numbers costs a unit of work
TOO_LONG = f"a rational with over {MAX_BITS} binary digits"
GLANCE = 256  # calls between two looks at the clock


class Exceeded(OverflowError):
    """The budget is spent; the message says what was too large."""


@dataclass
class _Account:
    work: int
    until: float
    calls: int = 0


_account: ContextVar[_Account | None] = ContextVar("account", default=None)


@contextmanager
def limited(work: int = MAX_WORK, seconds: float = MAX_SECONDS) -> Iterator[None]:
    """Inside, what `spend` and `weigh` are told counts against a budget of its own."""
    token = _account.set(_Account(work, time.monotonic() + seconds))
    try:
        yield
    finally:
        _account.reset(token)


def spend(work: int) -> None:
    """Count some work.

    Raises:
        Exceeded: if more was done than the budget allows, or it took too long.
    """
    account = _account.get()
    if account is None:
        return
    account.work -= work
    account.calls += 1
    if account.work < 0:
        raise Exceeded("more steps of exact arithmetic than the kernel's budget: split the claim")
    if account.calls % GLANCE == 0 and time.monotonic() > account.until:
        raise Exceeded("more time than the kernel's budget: split the claim")


def bits(value: Fraction) -> int:
    """The binary digits of the longer of numerator and denominator."""
    return max(value.numerator.bit_length(), value.denominator.bit_length())


def fault(value: Fraction) -> str:
    """Why a fraction is not an exact number to compute with; empty if it is.

    Integers of other kinds than Python's, NumPy's for one, wrap around without a word.
    """
    top, bottom = (getattr(value, part, None) for part in ("numerator", "denominator"))
    if type(top) is not int or type(bottom) is not int:
        kind = type(bottom if type(top) is int else top).__name__
        return f"a rational made of {kind}: write Fraction(int(...), int(...))"
    if bottom <= 0 or math.gcd(top, bottom) != 1:
        return "a rational that is not in lowest terms"
    return TOO_LONG if bits(value) > MAX_BITS else ""


def weigh(value: Fraction) -> Fraction:
    """The same number, counted by its length where there is a budget.

    Raises:
        Exceeded: if it is too long, or the budget is spent.
    """
    length = value.numerator.bit_length() + value.denominator.bit_length()
    if length > SHORT and _account.get() is not None:
        if bits(value) > MAX_BITS:
            raise Exceeded(TOO_LONG)
        spend(1 + length * length // SHORT**2)
    return value
