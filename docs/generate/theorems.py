"""The gallery of theorems: a page for each, with the verdict that the kernel gives at the build."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatch

from pages import plain

import theory
from theory.text.instance import symbols, untrue
from theory.text.latex import shown_value as shown
from theory.text.plain import cited
from theory.text.printing import LATEX, to_latex, to_text
from theory.text.prose import UNSEEN, in_words
from theory.trusted.statements import Condition, Hypothesis, Report, Status, Theorem
from theory.trusted.terms import Relation

__all__ = ["by_topic", "gallery", "page", "verdicts"]

#: A relation whose text is longer than this is broken before its sign.
LONG = 90
#: Topic -> patterns of ids; the first topic with a pattern that fits is the theorem's.
TOPICS = {
    "Rates of SAM": ("sam-pl-*",),
    "Convex and quadratic losses": ("sam-distance*", "sam-quadratic*", "sam-convex-*"),
    "Rates of SGD": ("sgd-pl-*", "sgd-strong-growth*", "sgd-batch-gradients", "pl-*"),
    "Bounds on the moments": ("sam-stability-s[234]*", "sgd-stability-*", "sgd-fourth-moment"),
    "Linear stability": ("lyapunov-*", "sam-stability-*", "sam-exact-*", "sgd-batch-*"),
    "Noise and coherence": ("sam-aligned-noise", "sam-coherence"),
    "Edges, cycles, saddles": ("sam-edge*", "sam-two-cycle*", "sam-normalized-*", "sam-saddle"),
    "More": ("*",),
}


def by_topic() -> dict[str, list[Theorem]]:
    """The library by topic; a topic without theorems is left out."""
    found: dict[str, list[Theorem]] = {topic: [] for topic in TOPICS}
    for theorem in theory.load().values():
        fitting = (t for t, ps in TOPICS.items() if any(fnmatch(theorem.id, p) for p in ps))
        found[next(fitting)].append(theorem)
    return {topic: theorems for topic, theorems in found.items() if theorems}


def verdicts() -> dict[str, Report]:
    """What the kernel says of every theorem, now.

    Raises:
        ValueError: if a verdict is not the one recorded with the theorem.
    """
    reports = {name: theory.check(theorem) for name, theorem in theory.load().items()}
    for name, report in reports.items():
        expected = theory.get(name).expected
        if report.status is not expected:
            raise ValueError(f"{name} is {report.status}, recorded as {expected}: {report.reason}")
    return reports


def badge(status: str) -> str:
    """A verdict that can be seen at a glance."""
    return f'<span class="verdict {status}">{status}</span>'


def gallery(reports: dict[str, Report]) -> str:
    """The page that lists them all."""
    counts: dict[str, int] = {}
    for report in reports.values():
        counts[report.status.value] = counts.get(report.status.value, 0) + 1
    total = ", ".join(f"{count} {badge(status)}" for status, count in counts.items())
    lines = [
        "# Theorems",
        "",
        f"{len(reports)} statements: {total}. Each verdict is the kernel's, given in exact "
        "arithmetic when this page was built. *Refuted* means that an exact instance is stored in "
        "which every hypothesis holds and the claim fails.",
    ]
    for topic, theorems in by_topic().items():
        lines += ["", f"## {topic}", ""]
        lines += ["| theorem | verdict | what it says |", "| --- | --- | --- |"]
        lines += [
            f"| [`{t.id}`]({t.id}.md) | {badge(reports[t.id].status)} | {plain(t.title)} |"
            for t in theorems
        ]
    return "\n".join(lines) + "\n"


def page(theorem: Theorem, report: Report) -> str:
    """Statement, claims, hypotheses, proof or counterexample, and what was found."""
    facts = [badge(report.status), theorem.kind.value, plain(cited(theorem.source))]
    lines = [
        f"# {plain(theorem.title)}",
        "",
        " · ".join(facts),
        "",
        f"`{theorem.id}`",
        "",
        plain(in_words(theorem)),
        "",
        "## In symbols",
    ]
    for step in theorem.proof:
        if step.name in theorem.conclusion:
            name = plain(step.name[:1].upper() + step.name[1:])
            lines += ["", f"**{name}**", *displayed(step.claim)]
    lines += ["", "## Hypotheses", ""]
    for hypothesis in theorem.hypotheses:
        lines += stated(hypothesis)
    lines += counterexample(theorem, report) if theorem.refutation else proof(theorem, report)
    lines += related(theorem)
    if theorem.findings:
        lines += ["", f"## {UNSEEN}", "", *(f"- {plain(text)}" for text in theorem.findings)]
    if theorem.quantities:
        lines += ["", "## Quantities", "", "Evaluated by `theory.evaluate`, under these names.", ""]
        for quantity in theorem.quantities:
            lines += [f"- **`{quantity.name}`**: {plain(quantity.meaning)}", ""]
            lines += [f"    $${to_latex(quantity.expression)}$$", ""]
    lines += ["", "## Check it", "", "```sh", f"sam-prove check {theorem.id}"]
    lines += [f"sam-prove explain {theorem.id} --coq", "```"]
    return "\n".join(lines) + "\n"


def displayed(relation: Relation, indent: str = "") -> Iterator[str]:
    """A relation as a displayed formula, on two lines if it is long."""
    if len(to_text(relation)) <= LONG:
        yield from ("", f"{indent}$${to_latex(relation)}$$")
        return
    sign = LATEX.signs[relation.sign]
    yield from ("", f"{indent}$${to_latex(relation.left)}$$")
    yield from ("", f"{indent}$${sign} {to_latex(relation.right)}$$")


def stated(hypothesis: Hypothesis) -> Iterator[str]:
    """A hypothesis as an item of a list, with what it says in symbols."""
    mark = ' <span class="implicit">implicit in the source</span>' if hypothesis.implicit else ""
    meaning = f": {plain(hypothesis.meaning)}" if hypothesis.meaning else ""
    if isinstance(hypothesis, Condition):
        yield f"- **{plain(hypothesis.name)}**{mark}{meaning}: ${to_latex(hypothesis.relation)}$"
        return
    scope = "; for all vectors" if any(rule.variables for rule in hypothesis.rules) else ""
    yield f"- **{plain(hypothesis.name)}**{mark}{meaning}{scope}"
    for rule in hypothesis.rules:
        yield from displayed(rule.relation, "    ")
    yield ""


def proof(theorem: Theorem, report: Report) -> Iterator[str]:
    """The steps, folded; those that are the theorem are marked.

    Raises:
        ValueError: if the kernel has not accepted them all: this site shows no such proof.
    """
    if report.status is not Status.PROVED:
        raise ValueError(f"{theorem.id} is {report.status}: {report.reason}")
    yield from ("", "## Proof", "")
    yield f'??? note "{len(report.steps)} steps, each replayed in exact arithmetic"'
    for step in theorem.proof:
        star = " ★" if step.name in theorem.conclusion else ""
        yield from ("", f"    **{plain(step.name)}**{star}: {plain(step.why)}")
        yield from displayed(step.claim, "    ")
    yield from ("", "    Steps marked ★ are the theorem.")


def counterexample(theorem: Theorem, report: Report) -> Iterator[str]:
    """The exact instance, and the claim that fails in it."""
    assert theorem.refutation is not None and report.failure is not None  # the verdict is `refuted`
    yield from ("", "## Counterexample", "")
    yield "Each sample $b$ is equally likely and has the Hessian $H_b = A_b$."
    for name, value in symbols(theorem.refutation, LATEX):
        yield from ("", f"$${name} = {shown(value)}$$")
    yield from ("", f"Every hypothesis holds in it, and **{plain(report.failure.claim)}** fails:")
    yield from ("", f"$${to_latex(untrue(report.failure))}$$", "", "is false.")


def related(theorem: Theorem) -> Iterator[str]:
    """What is true instead of it, and which false claims it repairs."""
    repairs = [t.id for t in theory.load().values() if t.repaired_by == theorem.id]
    if theorem.repaired_by:
        yield from ("", f"What is true instead: `{theorem.repaired_by}`.")
    if repairs:
        yield from ("", f"It repairs {', '.join(f'`{name}`' for name in repairs)}.")
