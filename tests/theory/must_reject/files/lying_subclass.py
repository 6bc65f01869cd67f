# Attack: a number of one's own type that equals everything.
from fractions import Fraction

from attack import false_claim

from theory.trusted.terms import Const


class Anything(Const):
    def __eq__(self, other):
        return True

    def __hash__(self):
        return 0


THEOREM = false_claim(Const(Fraction(1)) <= Anything(Fraction(0)))
