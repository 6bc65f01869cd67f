# Attack: a step that replaces a hypothesis of the same name by a stronger one.
from attack import false_claim, p, zero

from theory.trusted.certificates import Fact, Square
from theory.trusted.statements import Condition, Step

THEOREM = false_claim(
    p + zero >= 1,
    Fact("bound"),
    (Condition("bound", zero <= p),),
    before=(Step("bound", zero <= p**2, Square(p), ""),),
)
