"""What the symbols of a statement stand for, and the algorithm's step as a formula.

A formula says nothing of the space that it lives in, of an operator's symmetry or of what an
expectation runs over.  Every document that shows a theorem shows these lines with it; they are read
off the statement, so they say what the kernel used and no more.
"""

from __future__ import annotations

from collections.abc import Iterator

from theory.text.printing import Printer
from theory.trusted import terms as T
from theory.trusted.statements import ITERATE, Condition, Theorem

__all__ = ["SPACE", "algorithm", "conventions"]

SPACE = "of a real inner-product space, whatever its dimension"


def conventions(theorem: Theorem, printer: Printer) -> Iterator[tuple[str, str]]:
    """Every symbol of a statement in the printer's notation, with what it stands for in words."""
    said = [h.relation for h in theorem.hypotheses if isinstance(h, Condition)]
    said += [
        r.relation for h in theorem.hypotheses if not isinstance(h, Condition) for r in h.rules
    ]
    said += [step.claim for step in theorem.proof]
    found = dict.fromkeys(
        node
        for node in T.nodes((tuple(said), theorem.dynamics))
        if isinstance(node, T.Param | T.Named | T.Function | T.Operator | T.Mean | T.Along)
    )
    kinds = {type(node) for node in found}
    names = {
        kind: sorted({n.name for n in found if isinstance(n, kind)})
        for kind in (T.Param, T.Named, T.Function, T.Operator)
    }
    if names[T.Param]:
        parameters = printer.v.comma.join(map(printer.v.param, names[T.Param]))
        yield parameters, "a real number" if len(names[T.Param]) == 1 else "real numbers"
    if vectors := [name for name in names[T.Named] if name != ITERATE.name]:
        kind = "a vector" if len(vectors) == 1 else "vectors"
        yield printer.v.comma.join(map(printer.v.name, vectors)), f"{kind} {SPACE}"
    if ITERATE in found:
        iterate = ", and at a time t the iterate of the algorithm" if T.Along in kinds else ""
        yield printer.v.name(ITERATE.name), f"an arbitrary vector {SPACE}{iterate}"
    for name in names[T.Function]:
        sampled = T.Function(name, sampled=True)
        if sampled in found:
            both = (printer.function(T.Function(name)), printer.function(sampled))
            yield (
                printer.v.comma.join(both),
                "the mean loss, and the loss of the sample b; both are differentiable",
            )
        else:
            yield printer.function(T.Function(name)), "a differentiable function"
    for name in names[T.Operator]:
        yield from _operator(
            [n for n in found if isinstance(n, T.Operator) and n.name == name], printer
        )
    if any(isinstance(node, T.Function | T.Operator) and node.sampled for node in found):
        index = "a random sample; what is said of it outside an expectation holds for every one"
        yield printer.v.name("b"), index
    if T.Mean in kinds or T.Along in kinds:
        history = " and, at an iterate, over those of the steps before" if T.Along in kinds else ""
        over = f"the expectation over the sample b{history}; all vectors above are independent of b"
        yield printer.v.mean, over


def _operator(found: list[T.Operator], printer: Printer) -> Iterator[tuple[str, str]]:
    """An operator of the statement, in all the forms in which it occurs."""
    first = found[0]
    plain = T.Operator(first.name, symmetric=first.symmetric)
    kind = "symmetric linear operator" if first.symmetric else "linear operator"
    written, meaning = printer.function(plain), f"a {kind}"
    if not first.symmetric:
        meaning += ", not assumed symmetric"
    if any(operator.sampled for operator in found):
        sampled = printer.function(T.Operator(first.name, True, first.symmetric))
        written += f"{printer.v.comma}{sampled}"
        meaning = f"the mean {kind}, and that of the sample b"
        meaning += "" if first.symmetric else "; they are not assumed symmetric"
    yield written, meaning
    if any(operator.transposed for operator in found):
        yield printer.function(plain.adjoint), f"the adjoint of {first.name}"


def algorithm(theorem: Theorem, printer: Printer) -> tuple[str, str, str] | None:
    """The algorithm's name, its step and its starting point; None if the theorem runs none."""
    dynamics = theorem.dynamics
    if dynamics is None:
        return None
    try:
        new = printer.v.power(printer.v.name(ITERATE.name), "+")
        step = f"{new}{printer.v.signs['==']}{printer.vector(dynamics.step())[0]}"
    except T.IllFormed as problem:
        step = printer.v.words(str(problem))
    return dynamics.algorithm.name, step, printer.vector(dynamics.start)[0]
