# Attack: two parameters that look the same, one with a zero-width letter in its name.
from attack import false_claim, p, zero

from theory.trusted.certificates import Fact
from theory.trusted.statements import Condition
from theory.trusted.terms import Param

twin = Param("p\u200b")
THEOREM = false_claim(zero <= p, Fact("sign"), (Condition("sign", zero <= twin),))
