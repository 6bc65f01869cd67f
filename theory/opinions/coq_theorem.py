"""The lemmas of a theorem put together in Coq: inductions over nat, case splits, the conclusion.

In a theorem the quantities along the trajectory are sequences and the powers are `base ^ t`; what
holds at every time is quantified over `t : nat`.  Its hypotheses are what real arithmetic cannot
see: the theorem's own hypotheses and instances of rules, squared norms, the tower rule, and the
expectations of what a lemma before shows to be non-negative.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from theory.opinions import coq_refutation
from theory.opinions.coq import (
    FIELD,
    LETTER,
    PRELUDE,
    Document,
    Words,
    comment,
    legend,
    lemma,
    names,
    statement,
    words,
)
from theory.opinions.goals import (
    Argument,
    ByInduction,
    Cases,
    Obligation,
    Origin,
    Plain,
    Problem,
    Signed,
)
from theory.opinions.obligations import problem
from theory.opinions.ratios import Ratio, ratio
from theory.trusted import lowering as lo
from theory.trusted.kernel import Sign
from theory.trusted.polynomials import Atom, Frac, Monomial, Poly
from theory.trusted.statements import Theorem
from theory.trusted.terms import Time

__all__ = ["NAME", "SUPPOSED", "document", "in_time", "timed"]

NAME = "the_theorem"
SUPPOSED = """(* The theorem, from what real arithmetic cannot see: its hypotheses, the instances of
   its rules, squared norms, the tower rule and the starting point, and the expectations of what
   the lemma named beside them shows to be non-negative. *)
"""


def document(theorem: Theorem) -> Document:
    """The Coq file of a theorem, or of its refutation; it ends with what the results assume.

    Raises:
        Unstated: if the proof does not state its obligations.
        NoRefutation: if the refutation is none.
    """
    if theorem.refutation is not None:
        return coq_refutation.document(theorem)
    its = problem(theorem)
    flat, lemmas = words(its), names(its)
    assembly = _Theorem(its, lemmas, flat)
    proved = [lemma(lemmas[o.name], o, flat) for o in its.obligations]
    proved += [assembly.induction(step) for step in its.steps if isinstance(step, ByInduction)]
    proved.append(assembly.theorem())
    said = (*lemmas.values(), *assembly.inductions.values(), NAME)
    head = f"(* {comment(theorem.id)}: {comment(theorem.title)} *)\n{statement(theorem)}"
    return Document.of("\n".join([head + PRELUDE, legend(its, flat), *proved]), said)


def in_time(its: Problem, flat: Words) -> tuple[Words, tuple[str, ...], tuple[str, ...]]:
    """Words at time t, with the names of the real variables and of the sequences."""
    found: dict[Atom, str] = {}
    sequences: dict[Monomial, str] = {}
    divisors = list(dict.fromkeys(poly for o in its.obligations for poly in o.divisors))
    for atom in its.atoms:
        if isinstance(atom, lo.AlongAtom):
            sequence = sequences.setdefault(atom.along, f"seq_{len(sequences) + 1}")
            found[atom] = f"({sequence} {_instant(atom.time)})"
        elif isinstance(atom, lo.PowerAtom):
            found[atom] = f"({_base(atom.base, divisors, Words({**flat.of, **found}))} ^ t)"
        else:
            found[atom] = flat.of[atom]
    kept = [a for a in its.atoms if not isinstance(a, lo.AlongAtom | lo.PowerAtom)]
    return Words(found), tuple(flat.of[a] for a in kept), tuple(sequences.values())


def _instant(time: Time) -> str:
    if not time.symbolic:
        return f"{time.shift}%nat"
    text = "t"
    for _ in range(time.shift):
        text = f"(S {text})"
    return text


def _base(base: Frac, divisors: list[Poly], its_words: Words) -> str:
    try:
        return its_words.ratio(ratio(base, divisors))
    except ValueError:
        return f"(({its_words.poly(base.top)}) / ({its_words.poly(base.bottom)}))"


def timed(value: Ratio) -> bool:
    """Whether a value depends on t."""
    polys = [value.top, *(poly for poly, _ in value.below)]
    return any(
        isinstance(atom, lo.PowerAtom) or (isinstance(atom, lo.AlongAtom) and atom.time.symbolic)
        for poly in polys
        for atom in poly.atoms
    )


def _intro(value: Ratio) -> str:
    return "intro t. " if timed(value) else ""


@dataclass
class _Given:
    """The hypotheses of a result, and what has been asserted in its proof so far."""

    hypotheses: dict[str, tuple[str, str]] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    local: dict[str, str] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)
    items: list[Signed | Poly] = field(default_factory=list)

    def name(self, said: str) -> str | None:
        """The name under which a proposition is known."""
        return self.local.get(said) or self.names.get(said)

    def suppose(self, said: str, why: str) -> str:
        """A new hypothesis."""
        name = f"H{len(self.hypotheses) + 1}"
        self.hypotheses[name] = (said, why)
        self.names[said] = name
        return name


@dataclass
class _Theorem:
    """Assembles the lemmas of one problem."""

    problem: Problem
    lemmas: Mapping[str, str]
    flat: Words
    inductions: dict[str, str] = field(default_factory=dict)
    supposed: dict[str, tuple[Signed | Poly, ...]] = field(default_factory=dict)
    steps: dict[str, tuple[str, Ratio, Sign]] = field(default_factory=dict)
    given: _Given = field(default_factory=_Given)
    whole: bool = False

    def __post_init__(self) -> None:
        self.words, self.reals, self.sequences = in_time(self.problem, self.flat)
        self.obligations = {o.name: o for o in self.problem.obligations}

    # What is known, by name.

    def says(self, value: Ratio, sign: Sign) -> str:
        """A proposition, for all times if it depends on the time."""
        said = self.words.says(value, sign)
        return f"forall t : nat, {said}" if timed(value) else said

    def put(self, said: str, proof: str) -> str:
        """Assert a proposition, in the case that is being considered if there is one."""
        given = self.given
        name = f"S{len(given.names) + len(given.local) + 1}"
        given.lines.append(f"assert ({name} : {said}). {{ {proof} }}")
        (given.local or given.names)[said] = name
        return name

    def now(self, name: str, value: Ratio) -> str:
        """A known proposition at time t."""
        return f"({name} t)" if timed(value) else name

    def fact(self, known: Signed) -> str:
        """The name of a fact: asserted before, to be asserted, or a hypothesis."""
        said = self.says(known.value, known.sign)
        found = self.given.name(said)
        if found:
            return found
        if known.origin is Origin.POWER:
            return self.put(said, self.power(known))
        if self.whole and known.origin is Origin.STEP:
            name, value, sign = self.steps[known.inside]
            letter = LETTER[sign]
            term = f"same_{letter} _ _ {self.now(name, value)} _"
            return self.put(said, f"{_intro(value)}refine ({term}). {FIELD}")
        why = known.label
        if known.inside in self.lemmas:
            why += f", by {self.lemmas[known.inside]}"
        self.given.items.append(known)
        return self.given.suppose(said, why)

    def divisor(self, poly: Poly) -> str:
        """The name of a divisor's positivity."""
        claim = Ratio(poly)
        said = self.says(claim, Sign.POSITIVE)
        found = self.given.name(said)
        if found:
            return found
        if self.whole:
            for obligation in self.problem.obligations:
                if obligation.claim == claim and obligation.sign is Sign.POSITIVE:
                    proof = f"{_intro(claim)}exact {self.call(obligation)}."
                    return self.given.name(said) or self.put(said, proof)
        self.given.items.append(poly)
        return self.given.suppose(said, "a divisor")

    def power(self, known: Signed) -> str:
        """The proof of a power's sign from the sign of its base, which has a lemma."""
        inside = self.obligations[known.inside]
        letter, base = LETTER[inside.sign], self.call(inside)
        time = known.time or Time()
        term = f"(power_{letter} _ {time.shift} {base})"
        if time.symbolic:
            term = f"(mul_{letter}{letter} _ _ {term} (power_{letter} _ t {base}))"
        start = _intro(known.value)
        return f"{start}refine (same_{letter} _ _ {term} _). cbn [pow]. {FIELD}"

    def call(self, obligation: Obligation) -> str:
        """A lemma at the variables, divisors and facts of this result, at time t."""
        arguments = [self.words.of[atom] for atom in obligation.ordered_atoms]
        arguments += [self.now(self.divisor(p), Ratio(p)) for p in obligation.divisors]
        for known in obligation.facts:
            if known.origin is Origin.INDUCTION:
                arguments.append("IH")
            else:
                arguments.append(self.now(self.fact(known), known.value))
        return f"({' '.join([self.lemmas[obligation.name], *arguments])})"

    # The results.

    def induction(self, step: ByInduction) -> str:
        """The lemma that an induction proves, for all t."""
        self.given, self.whole = _Given(), False
        letter = LETTER[step.sign]
        calls = [self.call(self.obligations[name]) for name in (step.base, step.successor)]
        below = [self.divisor(poly) for poly, _ in step.claim.below]
        name = f"{self.lemmas[step.successor]}_for_all_t"
        self.inductions[step.step], self.supposed[step.step] = name, tuple(self.given.items)
        lines = [*self.given.lines, *(f"pose proof (nonzero _ {known})." for known in below)]
        lines.append("intro t. induction t as [|t IH].")
        lines += [f"- refine (same_{letter} _ _ {call} _). cbn [pow]. {FIELD}" for call in calls]
        claim = f"forall t : nat, {self.words.says(step.claim, step.sign)}"
        return self.result("Lemma", name, claim, lines)

    def theorem(self) -> str:
        """The conclusion from everything that real arithmetic cannot see."""
        self.given, self.whole = _Given(), True
        for step in self.problem.steps:
            self.establish(step)
        found = [self.steps[name] for name in self.problem.conclusion]
        claims = [f"({self.says(value, sign)})" for _, value, sign in found]
        proof = found[-1][0]
        for name, _, _ in reversed(found[:-1]):
            proof = f"(conj {name} {proof})"
        claim = " /\\\n  ".join(claims)
        lines = [*self.given.lines, f"exact {proof}."]
        return SUPPOSED + self.result("Theorem", NAME, claim, lines)

    def establish(self, step: Argument) -> None:
        """Assert a step in the proof of the theorem."""
        said = self.says(step.claim, step.sign)
        match step:
            case Plain(obligation=name):
                proof = f"{_intro(step.claim)}exact {self.call(self.obligations[name])}."
            case ByInduction():
                items = self.supposed[step.step]
                known = [self.fact(i) if isinstance(i, Signed) else self.divisor(i) for i in items]
                arguments = " ".join([*self.reals, *self.sequences, *known])
                at = "t" if timed(step.claim) else "0%nat"
                result = f"{self.inductions[step.step]} {arguments} {at}"
                proof = f"{_intro(step.claim)}exact ({result})."
            case Cases():
                proof = self.cases(step, said)
        name = self.given.names.get(said) or self.put(said, proof)
        self.steps[step.step] = (name, step.claim, step.sign)

    def cases(self, step: Cases, said: str) -> str:
        """The proof of a case split; at zero vectors coincide, which is supposed."""
        condition = step.condition
        parameter = self.words.ratio(condition.value)
        at_zero = self.given.suppose(
            f"(0 = {parameter} -> {said})",
            f"the case of zero, where vectors coincide, by {self.lemmas[step.zero]}",
        )
        split = self.fact(condition)
        before, self.given.lines = self.given.lines, []
        self.given.local = {self.says(condition.value, Sign.POSITIVE): "P"}
        call = self.call(self.obligations[step.positive])
        inner, self.given.lines = self.given.lines, before
        self.given.local = {}
        tactics = " ".join([*inner, f"{_intro(step.claim)}exact {call}."])
        return f"destruct {split} as [P | Z]. {{ {tactics} }} {{ exact ({at_zero} Z). }}"

    def result(self, kind: str, name: str, claim: str, lines: list[str]) -> str:
        """A result with its hypotheses and its proof."""
        variables = [f"({' '.join(self.reals)} : R)"] if self.reals else []
        variables += [f"({' '.join(self.sequences)} : nat -> R)"] if self.sequences else []
        said = [f"({what}) -> (* {comment(why)} *)" for what, why in self.given.hypotheses.values()]
        quantified = [f"forall {' '.join(variables)},"] if variables else []
        intros = [*self.reals, *self.sequences, *self.given.hypotheses]
        proof = [f"intros {' '.join(intros)}."] if intros else []
        body = "\n  ".join([f"{kind} {name} :", *quantified, *said, f"{claim}."])
        return "\n".join([body, "Proof.", *(f"  {line}" for line in [*proof, *lines]), "Qed.", ""])
