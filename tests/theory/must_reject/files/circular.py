# Attack: two steps that appeal to each other.
from attack import false_claim, p

from theory.trusted.certificates import Fact
from theory.trusted.statements import Step

claim = 1 + p**2 <= 0
THEOREM = false_claim(claim, Fact("first"), before=(Step("first", claim, Fact("claim"), ""),))
