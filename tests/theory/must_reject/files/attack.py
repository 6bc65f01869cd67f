# What the attacks share: a claim with a certificate that does not prove it.
from fractions import Fraction

from theory.trusted.certificates import NOTHING
from theory.trusted.statements import Attribution, Kind, Source, Step, Theorem
from theory.trusted.terms import Const, Param

p, q = Param("p"), Param("q")
zero = Const(Fraction(0))


def false_claim(claim, certificate=NOTHING, hypotheses=(), **more):
    return Theorem(
        id="attack",
        title="attack",
        statement="",
        source=Source("", "", Attribution.DERIVED),
        kind=Kind.IDENTITY,
        hypotheses=hypotheses,
        divisors=more.pop("divisors", ()),
        proof=(*more.pop("before", ()), Step("claim", claim, certificate, "")),
        conclusion=("claim",),
        **more,
    )
