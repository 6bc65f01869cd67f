# Attack: hypotheses that contradict each other prove anything, here 0 < 0.
from attack import false_claim, p, zero

from theory.proving.building import add
from theory.trusted.certificates import Fact
from theory.trusted.statements import Condition

THEOREM = false_claim(
    zero < zero,
    add(Fact("positive"), Fact("negative")),
    (Condition("positive", zero < p), Condition("negative", p < zero)),
)
