# Attack: hypotheses that contradict each other prove anything, here 0 < 0.
from attack import false_claim, p, zero

from theory.building import add
from theory.certificates import Fact
from theory.statements import Condition

THEOREM = false_claim(
    zero < zero,
    add(Fact("positive"), Fact("negative")),
    (Condition("positive", zero < p), Condition("negative", p < zero)),
)
