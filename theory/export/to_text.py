"""A theorem as readable text for a terminal."""

from __future__ import annotations

from theory.expressions.printing import to_text
from theory.statements import Condition, Theorem


def explanation(theorem: Theorem) -> str:
    """Statement, hypotheses, proof and findings."""
    source = theorem.source
    lines = [
        f"{theorem.id}: {theorem.title}",
        "",
        f"  {theorem.statement}",
        "",
        f"  kind      {theorem.kind.value}",
        f"  source    {source.reference}; {source.place} ({source.attribution.value})",
        f"  algorithm {_algorithm(theorem)}",
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
                lines.append(f"      for all {bound}: {to_text(rule.relation)}   [{rule.name}]")
    lines += ["", "Proof (steps marked * are the theorem)"]
    for lemma in theorem.proof:
        star = "*" if lemma.name in theorem.conclusion else " "
        lines += [f" {star} {lemma.name}: {lemma.why}", f"      {to_text(lemma.claim)}"]
    if theorem.findings:
        lines += ["", "Findings", *(f"  - {finding}" for finding in theorem.findings)]
    return "\n".join(lines)


def _algorithm(theorem: Theorem) -> str:
    if theorem.dynamics is None:
        return "none"
    spec = theorem.dynamics.algorithm
    same_batch = spec.stochastic and spec.perturbed and not spec.fresh_batch
    return spec.name + (", same batch in both gradients" if same_batch else "")
