"""One theorem on the page: statement, hypotheses, proof or counterexample, findings, downloads."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from paper_figures.report.evidence import downloads, measurements, quantities
from paper_figures.report.figures import Figure
from paper_figures.report.measured import NOT_MEASURED, Measured
from theory.opinions import Verdict
from theory.text.conventions import algorithm, conventions
from theory.text.instance import symbols, untrue
from theory.text.markup import Markup, badge, folded, join, prose, separated, tag
from theory.text.mathml import MATHML, MATHML_PRINTER, formula, inline, value
from theory.text.plain import cited
from theory.text.prose import UNSEEN, in_words
from theory.text.verdicts import DECIDED, is_proof, steps
from theory.trusted.certificates import Fact, Instance
from theory.trusted.notation import SYMBOLS
from theory.trusted.statements import Assumption, Condition, Hypothesis, Lemma, Theorem, Witness
from theory.trusted.terms import Param, nodes

__all__ = ["card"]


def card(
    verdict: Verdict, measured: Measured | None, figures: Iterable[Figure], known: Collection[str]
) -> Markup:
    """Everything that is known of one theorem.

    Args:
        verdict: what the checkers said.
        measured: what was measured, if it was.
        figures: those that show this theorem.
        known: the ids of the library, which become links.
    """
    theorem = verdict.theorem
    source = prose(cited(theorem.source), known)
    anchor = tag(
        "a", "#", href=f"#{theorem.id}", class_="anchor", aria_label=f"Link to {theorem.id}"
    )
    confronted = measured.verdicts.get(theorem.id, ()) if measured else ()
    found = [tag("li", prose(finding, known)) for finding in theorem.findings]
    shown = [tag("a", prose(f.title), href=f"#figure-{f.name}") for f in figures]
    return tag(
        "article",
        tag(
            "header",
            tag("h3", prose(theorem.title), " ", anchor),
            tag("p", badge(verdict.status.value), " ", tag("code", theorem.id), class_="id"),
        ),
        tag("p", f"{theorem.kind.value.capitalize()}. Source: ", source, ".", class_="source"),
        _disagreement(verdict),
        tag("p", prose(in_words(theorem), known), class_="statement"),
        _claims(verdict),
        _symbols(theorem),
        tag("h4", "Hypotheses"),
        tag("ul", *_hypotheses(verdict), class_="hypotheses"),
        _counterexample(verdict, known) if theorem.refutation else _proof(verdict),
        section(UNSEEN, tag("ul", *found)) if found else None,
        quantities(theorem),
        section(
            "Against measurements",
            measurements(confronted),
        ),
        tag("p", "Figure: ", separated(shown), class_="shown-in") if shown else None,
        downloads(verdict),
        id=theorem.id,
        class_="theorem",
        aria_label=theorem.id,
        data_status=verdict.status.value,
        data_measured=measured.outcome(theorem.id) if measured else NOT_MEASURED,
    )


def section(heading: str, *content: Markup | None) -> Markup:
    """Content under a heading."""
    return join([tag("h4", heading), *content])


def _disagreement(verdict: Verdict) -> Markup | None:
    """Said aloud: a verdict that is not the recorded one, and what a checker could not decide."""
    recorded = verdict.theorem.expected
    said = []
    if not verdict.as_recorded:
        said.append(f"Recorded as {recorded.value}, but {verdict.status.value}.")
    for name, opinion in verdict.opinions.items():
        if opinion.verdict not in DECIDED:
            said.append(f"{name}: {opinion.verdict}. {opinion.reason}")
    return tag("p", " ".join(said), class_="differs") if said else None


def _claims(verdict: Verdict) -> Markup:
    """The conclusions; where they are refuted, they are what is claimed."""
    theorem = verdict.theorem
    claims = [lemma for lemma in theorem.proof if lemma.name in theorem.conclusion]
    heading = "Conclusion" if is_proof(verdict) else "Claimed"
    shown: list[Markup] = []
    for lemma in claims:
        named = [tag("p", prose(lemma.name), class_="name")] if len(claims) > 1 else []
        shown += [*named, formula(lemma.claim)]
    return section(heading, *shown, _legend(claims))


def _legend(claims: Iterable[Lemma]) -> Markup | None:
    """What the parameters of the claims stand for."""
    names = {n.name for lemma in claims for n in nodes(lemma.claim) if isinstance(n, Param)}
    meanings = [
        tag("span", inline(MATHML.param(name)), " ", prose(s.meaning))
        for name, s in SYMBOLS.items()
        if name in names
    ]
    return tag("p", separated(meanings, "; "), class_="legend") if meanings else None


def _symbols(theorem: Theorem) -> Markup:
    """The algorithm's step, and what every symbol of the statement stands for."""
    lines = [
        tag("li", inline(name), prose(f": {what}"))
        for name, what in conventions(theorem, MATHML_PRINTER)
    ]
    if runs := algorithm(theorem, MATHML_PRINTER):
        name, step, start = runs
        lines.insert(0, tag("li", prose(f"{name}: "), inline(step), ", from ", inline(start)))
    return folded("Symbols and conventions", tag("ul", *lines, class_="symbols"))


def _hypotheses(verdict: Verdict) -> Iterator[Markup]:
    for hypothesis in verdict.theorem.hypotheses:
        yield tag(
            "li",
            tag("span", prose(hypothesis.name), class_="name"),
            tag("span", "implicit in the source", class_="mark implicit")
            if hypothesis.implicit
            else None,
            _unused(hypothesis, verdict.report.redundant),
            prose(f": {hypothesis.meaning}") if hypothesis.meaning else None,
            *_relations(hypothesis),
            class_="implicit" if hypothesis.implicit else None,
        )


def _unused(hypothesis: Hypothesis, redundant: Collection[str]) -> Markup | None:
    """A mark on a condition that no step of the proof appeals to."""
    if not isinstance(hypothesis, Condition) or hypothesis.name not in redundant:
        return None
    return tag("span", "not used by the proof", class_="mark unused")


def _relations(hypothesis: Hypothesis) -> Iterator[Markup]:
    if isinstance(hypothesis, Condition):
        yield formula(hypothesis.relation)
        return
    assert isinstance(hypothesis, Assumption)  # there is no third kind
    for rule in hypothesis.rules:
        names = separated([inline(MATHML.name(variable.name)) for variable in rule.variables])
        bound = tag("span", "for all ", names, class_="for-all") if names else None
        yield tag("div", bound, formula(rule.relation))


def _proof(verdict: Verdict) -> Markup:
    """The steps, folded; those that the theorem claims are marked."""
    shown = [
        _step(lemma, reason, lemma.name in verdict.theorem.conclusion)
        for lemma, reason in steps(verdict)
    ]
    accepted = sum(not reason for _, reason in steps(verdict))
    heading = "Proof" if is_proof(verdict) else "Claimed, and not proved"
    counted = f"{accepted} of {len(shown)} steps accepted"
    return folded(f"{heading}, {counted} in exact arithmetic", tag("ol", *shown, class_="steps"))


def _step(lemma: Lemma, reason: str, claimed: bool) -> Markup:
    """A step: what it says, why, and the facts that its certificate appeals to.

    Args:
        lemma: the step.
        reason: why the kernel has not accepted it; empty if it has.
        claimed: whether it is a claim of the theorem.
    """
    uses = separated([prose(name) for name in _facts(lemma)])
    return tag(
        "li",
        tag("span", prose(lemma.name), class_="name"),
        tag("span", "the theorem", class_="mark claim") if claimed else None,
        badge("not accepted") if reason else None,
        ": ",
        prose(lemma.why),
        formula(lemma.claim),
        tag("p", f"Not accepted: {reason}.", class_="differs") if reason else None,
        tag("p", "From ", uses, ".", class_="uses") if uses else None,
    )


def _facts(lemma: Lemma) -> Iterator[str]:
    """The names of the facts and of the assumptions' rules in a certificate, each once."""
    cited = (
        node.name if isinstance(node, Fact) else f"{node.assumption} ({node.rule})"
        for node in nodes(lemma.certificate)
        if isinstance(node, Fact | Instance)
    )
    return iter(dict.fromkeys(cited))


def _counterexample(verdict: Verdict, known: Collection[str]) -> Markup:
    """The exact instance, the claim that fails in it, and what is true instead."""
    theorem, failure = verdict.theorem, verdict.report.failure
    assert theorem.refutation is not None  # the caller asked
    content: list[Markup | None] = [_instance(theorem.refutation)]
    if failure is None:
        content.append(tag("p", f"It refutes nothing: {verdict.report.reason}.", class_="differs"))
    else:
        fails = f"Every hypothesis holds in it, and {failure.claim} fails. This is false:"
        content += [tag("p", fails), formula(untrue(failure))]
    if theorem.repaired_by:
        content.append(tag("p", "What is true: ", prose(theorem.repaired_by, known)))
    return section("Counterexample, exact", *content)


def _instance(instance: Witness) -> Markup:
    shown = [tag("li", value(name, x)) for name, x in symbols(instance, MATHML)]
    intro = tag("p", "With H", tag("sub", "b"), " = A", tag("sub", "b"), ", each b equally likely:")
    return join([intro, tag("ul", *shown, class_="instance")])
