# Attack: patch the kernel and the arithmetic it stands on, then claim 1 + p² <= 0.
from fractions import Fraction

from attack import false_claim, p

from theory import registry
from theory.trusted import kernel
from theory.trusted.polynomials import Frac, Poly
from theory.trusted.statements import Report, Status

kernel.check = registry.decode = lambda *_: Report(Status.PROVED, "", (), ())
Poly.__eq__ = Frac.same = lambda *_: True
Fraction.__lt__ = lambda *_: False
THEOREM = false_claim(1 + p**2 <= 0)
