# Attack: a small object that is a huge tree.
from attack import false_claim, p

for _ in range(60):
    p = p + p
THEOREM = false_claim(p <= 0)
