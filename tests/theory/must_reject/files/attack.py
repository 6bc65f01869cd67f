# What the attacks share: a claim with a certificate that does not prove it.
from fractions import Fraction

from theory.certificates import ZERO
from theory.expressions.terms import Const, Param
from theory.statements import Attribution, Kind, Lemma, Source, Theorem

p, q = Param("p"), Param("q")
zero = Const(Fraction(0))


def false_claim(claim, certificate=ZERO, hypotheses=(), **more):
    return Theorem(
        id="attack",
        title="attack",
        statement="",
        source=Source("", "", Attribution.DERIVED),
        kind=Kind.IDENTITY,
        hypotheses=hypotheses,
        divisors=more.pop("divisors", ()),
        proof=(*more.pop("before", ()), Lemma("claim", claim, certificate, "")),
        conclusion=("claim",),
        **more,
    )
