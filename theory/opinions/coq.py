"""A theorem as a Coq file: every obligation is a lemma over R whose proof is the certificate.

The proof term is built from the certificate by one small lemma per sum, product and sign; what is
left to Coq is the identity between certificate and claim, by `field`.  No axiom is added and
nothing is admitted.  `coq_theorem` puts the lemmas together again.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from theory.opinions.atoms import describe
from theory.opinions.goals import (
    Divisor,
    Expression,
    Obligation,
    Problem,
    ProductOf,
    Rational,
    Scaled,
    SquareOf,
    SumOf,
    Use,
)
from theory.opinions.ratios import Ratio
from theory.text.conventions import algorithm, conventions
from theory.text.printing import TEXT, Printer
from theory.trusted import lowering as lo
from theory.trusted.kernel import Sign
from theory.trusted.polynomials import Atom, Monomial, Poly
from theory.trusted.statements import Theorem

__all__ = [
    "EVERYTHING",
    "FIELD",
    "KEYWORDS",
    "LETTER",
    "MADE_UP",
    "PREFIXES",
    "PRELUDE",
    "RESERVED",
    "SAFE",
    "Document",
    "Words",
    "comment",
    "legend",
    "lemma",
    "names",
    "number",
    "says",
    "slug",
    "statement",
    "words",
]

LETTER = {Sign.ZERO: "z", Sign.NONNEGATIVE: "n", Sign.POSITIVE: "p"}
PREFIXES = {
    lo.ValueAtom: "value",
    lo.InnerAtom: "inner",
    lo.MeanAtom: "mean",
    lo.AlongAtom: "along",
    lo.PowerAtom: "power",
}
SAFE = re.compile(r"[A-Za-z][A-Za-z0-9_]*\Z")
# The keywords of Coq, and the names that the file itself relies on.
KEYWORDS = (
    "as at cofix do else end exists exists2 fix for forall fun if IF in lazymatch let match "
    "multimatch return Prop SProp Set then Type using where with by R nat S O t pow IZR INR "
    "Rplus Rmult Rminus Rdiv Rinv Ropp Rlt Rle eq eq_refl True False"
)
RESERVED = frozenset(KEYWORDS.split())


def says(sign: str, value: str) -> str:
    """That a value is zero, non-negative or positive."""
    return f"{value} = 0" if sign == "z" else f"0 {'<' if sign == 'p' else '<='} {value}"


def _prelude() -> str:
    """Sums, products and powers of numbers of known sign: what every certificate is made of."""
    lines = ["Require Import Reals Lra Psatz Field.", "Open Scope R_scope.", ""]
    for a in "znp":
        for b in "znp":
            by_sign = f"(x y : R) : {says(a, 'x')} -> {says(b, 'y')} ->"
            total, product = max(a, b, key="znp".index), min(a, b, key="znp".index)
            lines.append(f"Lemma add_{a}{b} {by_sign} {says(total, '(x + y)')}. Proof. lra. Qed.")
            lines.append(f"Lemma mul_{a}{b} {by_sign} {says(product, '(x * y)')}. Proof. nra. Qed.")
        lines.append(
            f"Lemma same_{a} (x y : R) : {says(a, 'x')} -> y = x -> {says(a, 'y')}. "
            "Proof. lra. Qed."
        )
        lines.append(
            f"Lemma weak_{a} (x : R) : {says(a, 'x')} -> {says('n', 'x')}. Proof. lra. Qed."
        )
    lines += [
        "Lemma power_n (x : R) (k : nat) : 0 <= x -> 0 <= x ^ k. Proof. apply pow_le. Qed.",
        "Lemma power_p (x : R) (k : nat) : 0 < x -> 0 < x ^ k. Proof. apply pow_lt. Qed.",
        "Lemma square_n (x : R) : 0 <= x * x. Proof. nra. Qed.",
        "Lemma scaled_z (c x : R) : x = 0 -> c * x = 0. Proof. intros ->; ring. Qed.",
        "Lemma inverse_p (x : R) : 0 < x -> 0 < / x. Proof. apply Rinv_0_lt_compat. Qed.",
        "Lemma nonzero (x : R) : 0 < x -> x <> 0. Proof. lra. Qed.",
        "Ltac divisors_nonzero :=",
        "  repeat split; try assumption; let Z := fresh in intro Z;",
        "  match goal with D : 0 < _ |- False => solve [rewrite Z in D; lra] | _ => nra end.",
        "",
    ]
    return "\n".join(lines)


PRELUDE = _prelude()
FIELD = "solve [field | field; divisors_nonzero]."
EVERYTHING = "everything_above"


@dataclass(frozen=True)
class Document:
    """A Coq file, and the names of everything that it claims to prove."""

    text: str
    proved: tuple[str, ...]

    @classmethod
    def of(cls, text: str, proved: tuple[str, ...]) -> Document:
        """The file with some results, and at its end the question what they assume."""
        together = functools.reduce(lambda rest, name: f"({name}, {rest})", reversed(proved))
        asked = f"Definition {EVERYTHING} := {together}.\nPrint Assumptions {EVERYTHING}.\n"
        return cls(f"{text}\n{asked}", proved)


@dataclass(frozen=True)
class Words:
    """How atoms, and what is made of them, are written in Coq."""

    of: Mapping[Atom, str]

    def poly(self, poly: Poly) -> str:
        """A polynomial, its terms in a fixed order."""
        index = {atom: i for i, atom in enumerate(self.of)}

        def key(monomial: Monomial) -> list[tuple[int, int]]:
            return sorted((index[atom], -exponent) for atom, exponent in monomial)

        text = ""
        for monomial in sorted(poly.terms, key=key):
            coefficient = poly.terms[monomial]
            atoms = sorted(monomial, key=lambda pair: index[pair[0]])
            factors = [self.of[a] if e == 1 else f"{self.of[a]} ^ {e}" for a, e in atoms]
            if abs(coefficient) != 1 or not factors:
                factors.insert(0, number(abs(coefficient)))
            sign = "-" if coefficient < 0 else "+" if text else ""
            text += f" {sign} {' * '.join(factors)}" if text else sign + " * ".join(factors)
        return text or "0"

    def ratio(self, value: Ratio) -> str:
        """A polynomial over divisors."""
        if not value.below:
            return f"({self.poly(value.top)})"
        below = " * ".join(
            f"({self.poly(factor)})" + (f" ^ {exponent}" if exponent > 1 else "")
            for factor, exponent in value.below
        )
        return f"(({self.poly(value.top)}) / ({below}))"

    def says(self, value: Ratio, sign: Sign) -> str:
        """That a value has a sign."""
        return says(LETTER[sign], self.ratio(value))


def number(value: Fraction) -> str:
    """A rational number."""
    return str(value) if value.denominator == 1 else f"({value.numerator} / {value.denominator})"


def words(problem: Problem) -> Words:
    """Identifiers for a problem's atoms: parameters by their own names where Coq can have them."""
    found: dict[Atom, str] = {}
    taken = set(RESERVED)
    for atom in problem.atoms:
        prefix = PREFIXES.get(type(atom), "parameter")
        name = atom.param if isinstance(atom, lo.ParamAtom) else ""
        if not SAFE.match(name) or name in taken or MADE_UP.match(name):
            count = sum(type(other) is type(atom) for other in found) + 1
            name = f"{prefix}_{count}"
        taken.add(name)
        found[atom] = name
    return Words(found)


MADE_UP = re.compile(
    r"((parameter|value|inner|mean|along|power|seq|lemma)_\d\w*|(add|mul|same|weak)_[znp]+"
    r"|(power|square|scaled|inverse)_[znp]|nonzero|the_theorem|everything_above|IH|[DHKNPSZ]\d*)\Z"
)


def comment(text: str) -> str:
    """Text that is safe inside a Coq comment."""
    return re.sub(r'[*"()]', lambda m: {"*": "·", '"': "'"}.get(m[0], m[0]), text)


def statement(theorem: Theorem) -> str:
    """What the symbols of the statement are, as a Coq comment."""
    printer = Printer(TEXT)
    lines = [f"{name}: {what}" for name, what in conventions(theorem, printer)]
    if runs := algorithm(theorem, printer):
        lines.insert(0, f"algorithm {runs[0]}: {runs[1]}, from {runs[2]}")
    return "".join(f"(* {comment(line)} *)\n" for line in lines)


def slug(text: str) -> str:
    """A readable part of an identifier."""
    return re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")[:40].rstrip("_")


def names(problem: Problem) -> dict[str, str]:
    """The Coq name of every obligation."""
    return {
        obligation.name: f"lemma_{i}_{slug(obligation.name)}".rstrip("_")
        for i, obligation in enumerate(problem.obligations, 1)
    }


@dataclass
class _Proof:
    """Builds the proof term of one certificate."""

    obligation: Obligation
    words: Words
    numbers: dict[Fraction, str] = field(default_factory=dict)

    def term(self, tree: Expression) -> tuple[str, str]:
        """A proof that an expression has its sign, and the sign's letter."""
        match tree:
            case Use(fact):
                return f"H{fact + 1}", LETTER[self.obligation.facts[fact].sign]
            case Rational(value) if not value:
                return "(@eq_refl R 0)", "z"
            case Rational(value):
                return self.numbers.setdefault(value, f"K{len(self.numbers) + 1}"), "p"
            case SquareOf(root):
                return f"(square_n {self.words.ratio(root)})", "n"
            case Divisor(poly, inverted):
                known = f"D{self.obligation.divisors.index(poly) + 1}"
                return f"(inverse_p _ {known})" if inverted else known, "p"
            case Scaled(coefficient, part):
                return f"(scaled_z {self.words.ratio(coefficient)} _ {self.term(part)[0]})", "z"
            case SumOf(parts):
                return self.fold("add", [self.term(part) for part in parts], Rational(Fraction(0)))
            case ProductOf(parts):
                return self.fold("mul", [self.term(part) for part in parts], Rational(Fraction(1)))
        raise TypeError(f"not an expression: {tree!r}")

    def fold(self, word: str, terms: list[tuple[str, str]], empty: Rational) -> tuple[str, str]:
        """A sum or product of two or more, taken from the left."""
        if not terms:
            return self.term(empty)
        text, sign = terms[0]
        choose = max if word == "add" else min
        for other, its in terms[1:]:
            text = f"({word}_{sign}{its} _ _ {text} {other})"
            sign = choose(sign, its, key="znp".index)
        return text, sign


def lemma(name: str, obligation: Obligation, its_words: Words) -> str:
    """One obligation as a lemma, proved by its certificate."""
    proof = _Proof(obligation, its_words)
    term, sign = proof.term(obligation.certificate)
    wanted = LETTER[obligation.sign]
    if sign != wanted:
        term = f"(weak_{sign} _ {term})"
    variables = " ".join(its_words.of[atom] for atom in obligation.ordered_atoms)
    divisors = [f"0 < ({its_words.poly(poly)})" for poly in obligation.divisors]
    facts = [its_words.says(fact.value, fact.sign) for fact in obligation.facts]
    claim = its_words.says(obligation.claim, obligation.sign)
    given = [f"D{i + 1}" for i in range(len(divisors))] + [f"H{i + 1}" for i in range(len(facts))]
    said = ["a divisor"] * len(divisors) + [comment(fact.label) for fact in obligation.facts]
    lines = [f"(* {comment(obligation.name)} *)", f"Lemma {name} :"]
    if variables:
        lines.append(f"  forall {variables} : R,")
    lines += [f"  {x} -> (* {y} *)" for x, y in zip([*divisors, *facts], said, strict=True)]
    lines += [f"  {claim}.", "Proof."]
    if variables or given:
        lines.append("  intros " + " ".join([variables, *given]).strip() + ".")
    lines += [
        f"  assert (N{i + 1} := nonzero _ D{i + 1})." for i in range(len(obligation.divisors))
    ]
    lines += [f"  assert ({k} : 0 < {number(v)}) by lra." for v, k in proof.numbers.items()]
    lines += [f"  refine (same_{wanted} _ _ {term} _).", f"  {FIELD}", "Qed.", ""]
    return "\n".join(lines)


def legend(problem: Problem, its_words: Words) -> str:
    """What the variables stand for."""
    lines = [f"   {its_words.of[atom]} : {comment(describe(atom))}" for atom in problem.atoms]
    return "\n".join(["(* The variables:", *lines, "*)", ""])
