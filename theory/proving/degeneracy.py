"""Whether a witness witnesses little: a zero function, no noise, a radius of zero.  Untrusted.

A theorem with such a witness is proved all the same: its hypotheses do hold together there.  But
they might do so nowhere else, so the verdict says it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import chain

from theory.trusted import terms as T
from theory.trusted.budget import limited
from theory.trusted.instances import Instance, Polynomial, read
from theory.trusted.notation import symbol
from theory.trusted.statements import Condition, Hypothesis, Theorem

__all__ = ["MARK", "UNUSABLE", "degenerate", "mark", "remarks"]

MARK = "°"
UNUSABLE = (ValueError, KeyError, ZeroDivisionError, OverflowError)


def degenerate(theorem: Theorem) -> tuple[str, ...]:
    """What is trivial in the theorem's witness, a few words each; empty if nothing is.

    Looked for are, among the symbols of the statement: a parameter or a vector that is zero, a
    function or operator that is zero or constant, samples of it that are all the same, and a point
    at which the gradient of a function vanishes though no hypothesis puts it there.
    """
    if theorem.witness is None or not theorem.hypotheses:
        return ()
    try:
        with limited():
            return tuple(dict.fromkeys(_found(theorem, read(theorem.witness))))
    except UNUSABLE:
        return ()  # it is no witness, and the kernel says why


def mark(theorem: Theorem) -> str:
    """What stands behind its name in a table."""
    return f" {MARK}" if degenerate(theorem) else ""


def remarks(theorems: Iterable[Theorem]) -> list[str]:
    """A line for each theorem that has the mark."""
    found = ((theorem.id, degenerate(theorem)) for theorem in theorems)
    return [
        f"{MARK} {name}: its only witness is degenerate: {', '.join(words)}"
        for name, words in found
        if words
    ]


def _found(theorem: Theorem, instance: Instance) -> Iterator[str]:
    tree = _statement(theorem)
    for name, value in instance.parameters.items():
        if not value and T.Param(name) in tree:
            yield f"{symbol(name).text} = 0"
    for node in dict.fromkeys(n for n in tree if isinstance(n, T.Function | T.Operator)):
        with suppress(KeyError):  # only the conclusion has it
            yield from _trivial(node, instance)
    given = {point for h in theorem.hypotheses for point in _given(h)}
    at = [n for n in tree if isinstance(n, T.Value | T.Gradient)]
    for name, coordinates in instance.vectors.items():
        functions = {n.function for n in at if n.point == T.Named(name)}
        if T.Named(name) in given or T.Named(name) not in tree:
            continue
        if not functions and not any(coordinates):
            yield f"{name} = 0"
        for function in functions:
            with suppress(KeyError):
                if not any(map(any, _slopes(T.Gradient(function, T.Named(name)), instance))):
                    yield f"∇{_named(function)}({name}) = 0"


def _slopes(gradient: T.Gradient, instance: Instance) -> Iterator[list[Polynomial]]:
    return (instance.vector(gradient, b) for b in range(instance.samples))


def _statement(theorem: Theorem) -> list[object]:
    """The nodes of hypotheses, conclusions and the algorithm's step."""
    claims = [step.claim for step in theorem.proof if step.name in theorem.conclusion]
    moved = () if theorem.dynamics is None else (theorem.dynamics.step(),)
    return list(T.nodes((theorem.hypotheses, *claims, *moved)))


def _trivial(node: T.Function | T.Operator, instance: Instance) -> Iterator[str]:
    """What is trivial about a function or operator, or about its samples."""
    samples = range(instance.samples)
    if isinstance(node, T.Function):
        quadratics = (instance.quadratic(node, b) for b in samples)
        data = [[*chain.from_iterable(a), *c, level] for a, c, level in quadratics]
        size = len(data[0]) - 1  # a constant moves no gradient
        constant = not any(any(numbers[:size]) for numbers in data)
    else:
        data = [list(chain.from_iterable(instance.matrix(node, b))) for b in samples]
        size, constant = len(data[0]), False
    if not any(any(numbers) for numbers in data):
        yield f"{_named(node)} = 0"
    elif constant:
        yield f"{_named(node)} is constant"
    elif node.sampled and all(numbers[:size] == data[0][:size] for numbers in data):
        yield f"every {_named(node)} is the same: no noise"


def _named(node: T.Function | T.Operator) -> str:
    return node.name + ("_b" if node.sampled else "")


def _given(hypothesis: Hypothesis) -> Iterator[T.Vector]:
    """The points that a hypothesis may put where the gradient vanishes, such as minimisers."""
    if isinstance(hypothesis, Condition):
        nodes = T.nodes(hypothesis.relation)
        yield from (node.point for node in nodes if isinstance(node, T.Gradient))
        return
    for rule in hypothesis.rules:
        for node in T.nodes(rule.relation):
            if isinstance(node, T.Value | T.Gradient) and node.point not in rule.variables:
                yield node.point
