# Attack: p/p = 1 also where p is zero.
from attack import false_claim, p

THEOREM = false_claim((p / p).equals(1))
