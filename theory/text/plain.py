"""A theorem as readable text for a terminal."""

from __future__ import annotations

from theory.opinions import Verdict, examine
from theory.text.conventions import algorithm, conventions
from theory.text.instance import (
    INSTANCE,
    WITNESS,
    Value,
    defining,
    expression,
    judged,
    symbols,
    told,
    untrue,
)
from theory.text.printing import TEXT, Printer, to_text
from theory.text.prose import AUTHOR, UNSEEN, sentences
from theory.text.verdicts import headline, is_proof, steps
from theory.trusted.statements import Condition, Source, Theorem, Witness

__all__ = ["TEXT_PRINTER", "cited", "explain", "explained", "shown_value"]

TEXT_PRINTER = Printer(TEXT)


def cited(source: Source) -> str:
    """Reference, place, and how sure the link is."""
    place = f", {source.place}" if source.place else ""
    return f"{source.reference}{place} ({source.attribution.value})"


def explain(theorem: Theorem) -> str:
    """What the kernel, asked now, says of a theorem: as `explained`."""
    return explained(examine(theorem))


def explained(verdict: Verdict) -> str:
    """Verdict, statement, hypotheses, proof or refutation, and findings."""
    theorem = verdict.theorem
    lines = [
        f"{theorem.id}: {theorem.title}",
        "",
        f"  verdict   {headline(verdict)}",
        *([f"  file      {verdict.file}, not the library"] if verdict.file else []),
        "",
        *(f"  {sentence}" for sentence in sentences(theorem)),
        *([f"  {AUTHOR}"] if isinstance(theorem.statement, str) else []),
        "",
        f"  kind      {theorem.kind.value}",
        f"  source    {cited(theorem.source)}",
        f"  algorithm {_algorithm(theorem)}",
        "",
        "Symbols",
        *(f"  {name}: {meaning}" for name, meaning in conventions(theorem, TEXT_PRINTER)),
        "",
        "Hypotheses",
    ]
    for hypothesis in theorem.hypotheses:
        mark = "  [implicit in the source]" if hypothesis.implicit else ""
        lines.append(
            f"  {hypothesis.name}{mark}" + (f": {hypothesis.meaning}" if hypothesis.meaning else "")
        )
        if isinstance(hypothesis, Condition):
            lines.append(f"      {to_text(hypothesis.relation)}")
        else:
            for rule in hypothesis.rules:
                bound = ", ".join(v.name for v in rule.variables)
                scope = f"for all {bound}: " if bound else ""
                lines.append(f"      {scope}{to_text(rule.relation)}   [{rule.name}]")
    lines += [
        "",
        *(_refutation(verdict, theorem.refutation) if theorem.refutation else _proof(verdict)),
    ]
    lines += _witness(theorem)
    if theorem.findings:
        lines += ["", UNSEEN, *(f"  - {finding}" for finding in theorem.findings)]
    return "\n".join(lines)


def _algorithm(theorem: Theorem) -> str:
    runs = algorithm(theorem, TEXT_PRINTER)
    if runs is None:
        return "none"
    name, step, start = runs
    return f"{name}: {step}, from {start}"


def _proof(verdict: Verdict) -> list[str]:
    """The steps; where the kernel has not accepted all of it, they are no proof and say why."""
    proved = is_proof(verdict)
    lines = ["Proof (steps marked * are the theorem)" if proved else "Claimed, and not proved"]
    for step, reason in steps(verdict):
        star = "*" if step.name in verdict.theorem.conclusion else " "
        lines += [f" {star} {step.name}: {step.why}", f"      {to_text(step.claim)}"]
        lines += [f"      NOT ACCEPTED: {reason}"] if reason else []
    return lines


def _refutation(verdict: Verdict, refutation: Witness) -> list[str]:
    """What is claimed, the instance, which claim fails in it, and what is true instead."""
    theorem, failure = verdict.theorem, verdict.report.failure
    lines = ["Claimed" if failure is None else "Claimed, and refuted"]
    for step in theorem.proof:
        lines += [f"   {step.name}: {step.why}", f"      {to_text(step.claim)}"]
    lines += ["", INSTANCE, *_instance(refutation)]
    if failure is None:
        return [*lines, "", f"It refutes nothing: {verdict.report.reason}"]
    lines += ["", "Every hypothesis holds in it, and"]
    lines += [f"   {failure.claim} fails: {to_text(untrue(failure))} is false"]
    return [*lines, "", f"What is true: {theorem.repaired_by}"] if theorem.repaired_by else lines


def _witness(theorem: Theorem) -> list[str]:
    """The numbers with which the hypotheses hold together, and what is trivial about them."""
    if theorem.witness is None or theorem.refutation is not None:
        return []
    shown = _instance(told(theorem, theorem.witness))
    return ["", WITNESS, *shown, f"   {judged(theorem)}"]


def _instance(instance: Witness) -> list[str]:
    lines = [f"   {name} = {shown_value(value)}" for name, value in symbols(instance, TEXT)]
    if instance.root is None:
        return lines
    return [*lines, "   where " + ", ".join(map(to_text, defining(instance.root)))]


def shown_value(value: Value) -> str:
    """A number, or nested rows of numbers."""
    if isinstance(value, tuple):
        return f"[{', '.join(map(shown_value, value))}]"
    return to_text(expression(value))
