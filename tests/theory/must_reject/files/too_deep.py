# Attack: an expression nested deeper than any recursion goes.
from attack import false_claim, p

for _ in range(400):
    p = 1 + p
THEOREM = false_claim(p <= 0)
