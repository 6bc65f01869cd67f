"""A theorem's parts as HTML: what the report's page and a notebook's cell are made of.

Formulas are MathML, which browsers typeset by themselves: no script, no font.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from functools import cache
from pathlib import Path

from theory.opinions import Verdict
from theory.text.conventions import algorithm, conventions
from theory.text.instance import defining, judged, symbols, told, untrue
from theory.text.markup import Markup, badge, folded, join, prose, separated, tag
from theory.text.mathml import MATHML, MATHML_PRINTER, formula, inline, value
from theory.text.plain import cited
from theory.text.prose import AUTHOR, UNSEEN, in_words
from theory.text.verdicts import headline, is_proof, settled, steps
from theory.trusted.certificates import Fact, RuleAt
from theory.trusted.notation import SYMBOLS
from theory.trusted.statements import Assumption, Condition, Hypothesis, Step, Theorem, Witness
from theory.trusted.terms import Param, nodes

__all__ = [
    "claims",
    "counterexample",
    "hypotheses",
    "instance",
    "notation",
    "proof",
    "quantities",
    "relations",
    "section",
    "shown",
    "table",
    "typeset",
    "witness",
]


def shown(content: Markup) -> Markup:
    """Content with the style that it has outside of the report's page, for light and dark alike."""
    return tag("div", tag("style", _style()), content, class_="sam-theory")


@cache
def _style() -> Markup:
    return Markup(Path(__file__).with_name("shown.css").read_text(encoding="utf-8"))


def typeset(verdict: Verdict) -> Markup:
    """A theorem as a notebook shows it: verdict, statement, conclusion, hypotheses, witness.

    What belongs to the proof is folded.
    """
    theorem = verdict.theorem
    refuted = theorem.refutation is not None
    why = headline(verdict).removeprefix(f"{verdict.status.value}: ")
    kind, source = theorem.kind.value.capitalize(), prose(cited(theorem.source))
    found = [tag("li", prose(finding)) for finding in theorem.findings]
    content = (
        tag("p", prose(theorem.title), class_="title"),
        tag("p", badge(verdict.status.value), " ", tag("code", theorem.id), class_="id"),
        tag("p", why, ".", class_="quiet" if settled(verdict) else "differs"),
        tag("p", prose(in_words(theorem))),
        tag("p", AUTHOR, class_="quiet") if isinstance(theorem.statement, str) else None,
        tag("p", f"{kind}. Source: ", source, ".", class_="quiet"),
        claims(verdict),
        section("Hypotheses", tag("ul", *hypotheses(verdict), class_="hypotheses")),
        counterexample(verdict) if refuted else witness(theorem),
        notation(theorem),
        None if refuted else proof(verdict),
        quantities(theorem),
        folded(UNSEEN, tag("ul", *found)) if found else None,
    )
    return shown(tag("article", *content, aria_label=theorem.id))


def table(theorems: Iterable[Theorem]) -> Markup:
    """A row for every theorem; the status is the one that its file records."""
    columns = ("theorem", "what it says", "source", "recorded")
    head = tag("tr", *(tag("th", name, scope="col") for name in columns))
    rows = [
        tag(
            "tr",
            tag("td", tag("code", theorem.id)),
            tag("td", prose(theorem.title)),
            tag("td", prose(theorem.source.reference)),
            tag("td", badge(theorem.expected.value)),
        )
        for theorem in theorems
    ]
    return shown(tag("table", tag("thead", head), tag("tbody", *rows)))


def section(heading: str, *content: Markup | None) -> Markup:
    """Content under a heading."""
    return join([tag("h4", heading), *content])


def claims(verdict: Verdict) -> Markup:
    """The conclusions; where they are refuted, they are what is claimed."""
    theorem = verdict.theorem
    claimed = [step for step in theorem.proof if step.name in theorem.conclusion]
    heading = "Conclusion" if is_proof(verdict) else "Claimed"
    lines: list[Markup] = []
    for step in claimed:
        named = [tag("p", prose(step.name), class_="name")] if len(claimed) > 1 else []
        lines += [*named, formula(step.claim)]
    return section(heading, *lines, _legend(claimed))


def _legend(claims: Iterable[Step]) -> Markup | None:
    """What the parameters of the claims stand for."""
    names = {n.name for step in claims for n in nodes(step.claim) if isinstance(n, Param)}
    meanings = [
        tag("span", inline(MATHML.param(name)), " ", prose(s.meaning))
        for name, s in SYMBOLS.items()
        if name in names
    ]
    return tag("p", separated(meanings, "; "), class_="legend") if meanings else None


def notation(theorem: Theorem) -> Markup:
    """The algorithm's step, and what every symbol of the statement stands for."""
    lines = [
        tag("li", inline(name), prose(f": {what}"))
        for name, what in conventions(theorem, MATHML_PRINTER)
    ]
    if runs := algorithm(theorem, MATHML_PRINTER):
        name, step, start = runs
        lines.insert(0, tag("li", prose(f"{name}: "), inline(step), ", from ", inline(start)))
    return folded("Symbols and conventions", tag("ul", *lines, class_="symbols"))


def hypotheses(verdict: Verdict) -> Iterator[Markup]:
    """Each with its relations; marked are what the source leaves out and what no step uses."""
    for hypothesis in verdict.theorem.hypotheses:
        yield tag(
            "li",
            tag("span", prose(hypothesis.name), class_="name"),
            tag("span", "implicit in the source", class_="mark implicit")
            if hypothesis.implicit
            else None,
            _unused(hypothesis, verdict.report.redundant),
            prose(f": {hypothesis.meaning}") if hypothesis.meaning else None,
            *relations(hypothesis),
            class_="implicit" if hypothesis.implicit else None,
        )


def _unused(hypothesis: Hypothesis, redundant: Collection[str]) -> Markup | None:
    """A mark on a condition that no step of the proof appeals to."""
    if not isinstance(hypothesis, Condition) or hypothesis.name not in redundant:
        return None
    return tag("span", "not used by the proof", class_="mark unused")


def relations(hypothesis: Hypothesis) -> Iterator[Markup]:
    """What a hypothesis says in symbols."""
    if isinstance(hypothesis, Condition):
        yield formula(hypothesis.relation)
        return
    assert isinstance(hypothesis, Assumption)  # there is no third kind
    for rule in hypothesis.rules:
        names = separated([inline(MATHML.name(variable.name)) for variable in rule.variables])
        bound = tag("span", "for all ", names, class_="for-all") if names else None
        yield tag("div", bound, formula(rule.relation))


def proof(verdict: Verdict) -> Markup:
    """The steps, folded; those that the theorem claims are marked."""
    shown = [
        _step(step, reason, step.name in verdict.theorem.conclusion)
        for step, reason in steps(verdict)
    ]
    accepted = sum(not reason for _, reason in steps(verdict))
    heading = "Proof" if is_proof(verdict) else "Claimed, and not proved"
    counted = f"{accepted} of {len(shown)} steps accepted"
    return folded(f"{heading}, {counted} in exact arithmetic", tag("ol", *shown, class_="steps"))


def _step(step: Step, reason: str, claimed: bool) -> Markup:
    """A step: what it says, why, and the facts that its certificate appeals to.

    Args:
        step: which one.
        reason: why the kernel has not accepted it; empty if it has.
        claimed: whether it is a claim of the theorem.
    """
    uses = separated([prose(name) for name in _facts(step)])
    return tag(
        "li",
        tag("span", prose(step.name), class_="name"),
        tag("span", "the theorem", class_="mark claim") if claimed else None,
        badge("not accepted") if reason else None,
        ": ",
        prose(step.why),
        formula(step.claim),
        tag("p", f"Not accepted: {reason}.", class_="differs") if reason else None,
        tag("p", "From ", uses, ".", class_="uses") if uses else None,
    )


def _facts(step: Step) -> Iterator[str]:
    """The names of the facts and of the assumptions' rules in a certificate, each once."""
    cited = (
        node.name if isinstance(node, Fact) else f"{node.assumption} ({node.rule})"
        for node in nodes(step.certificate)
        if isinstance(node, Fact | RuleAt)
    )
    return iter(dict.fromkeys(cited))


def counterexample(verdict: Verdict, known: Collection[str] = ()) -> Markup:
    """The exact instance, the claim that fails in it, and what is true instead."""
    theorem, failure = verdict.theorem, verdict.report.failure
    assert theorem.refutation is not None  # the caller asked
    content: list[Markup | None] = [instance(theorem.refutation)]
    if failure is None:
        content.append(tag("p", f"It refutes nothing: {verdict.report.reason}.", class_="differs"))
    else:
        fails = f"Every hypothesis holds in it, and {failure.claim} fails. This is false:"
        content += [tag("p", fails), formula(untrue(failure))]
    if theorem.repaired_by:
        content.append(tag("p", "What is true: ", prose(theorem.repaired_by, known)))
    return section("Counterexample, exact", *content)


def witness(theorem: Theorem) -> Markup | None:
    """The numbers with which the hypotheses hold together, and what is trivial about them."""
    if theorem.witness is None:
        return None
    told_by = instance(told(theorem, theorem.witness))
    return section("Witness, exact", told_by, tag("p", judged(theorem), class_="quiet"))


def instance(numbers: Witness) -> Markup:
    """The symbols with their values; a matrix row by row."""
    items = [tag("li", value(name, x)) for name, x in symbols(numbers, MATHML)]
    if numbers.root is not None:
        items += [tag("li", "where ", *map(formula, defining(numbers.root)))]
    intro = None
    if numbers.curvatures:
        intro = tag(
            "p", "With H", tag("sub", "b"), " = A", tag("sub", "b"), ", each b equally likely:"
        )
    return join([intro, tag("ul", *items, class_="instance")])


def quantities(theorem: Theorem) -> Markup | None:
    """The expressions that have a name by which they can be evaluated and drawn."""
    items = [
        tag("li", tag("code", q.name), ": ", prose(q.meaning), formula(q.expression))
        for q in theorem.quantities
    ]
    return folded("Quantities that can be evaluated", tag("ul", *items)) if items else None
