# Attack: two parameters that look the same, one with a zero-width letter in its name.
from attack import false_claim, p, zero

from theory.certificates import Fact
from theory.expressions.terms import Param
from theory.statements import Condition

twin = Param("p\u200b")
THEOREM = false_claim(zero <= p, Fact("sign"), (Condition("sign", zero <= twin),))
