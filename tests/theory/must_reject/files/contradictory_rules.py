# Attack: a rule that no space satisfies (every vector is shorter than 1), with a witness that lies.
from attack import false_claim, zero

from theory.proving.witnesses import witness
from theory.trusted.certificates import RuleAt
from theory.trusted.statements import Assumption, Rule
from theory.trusted.terms import Named, norm2

u, x = Named("u"), Named("x")
THEOREM = false_claim(
    norm2(5 * x) <= 1,
    RuleAt("short", "at", (5 * x,)),
    (Assumption("short", "", "", (Rule("at", (u,), norm2(u) <= 1 + zero),)),),
    witness=witness({}, {"u": [0]}, [[[1]]]),
)
