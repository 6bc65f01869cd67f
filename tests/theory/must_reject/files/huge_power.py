# Attack: a polynomial with more terms than there is memory.
from attack import false_claim

from theory.trusted.terms import Param, Sum

THEOREM = false_claim(Sum(tuple(Param(f"p{i}") for i in range(30))) ** 60 <= 0)
