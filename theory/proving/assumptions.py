"""The properties that theorems assume, as rules that hold for all vectors.

Each rule is a named axiom of the setting with its source; a proof may use its instances and
nothing else.
"""

from __future__ import annotations

from typing import Literal

from theory.trusted.statements import Assumption, Rule
from theory.trusted.terms import (
    ZERO,
    Function,
    Gradient,
    Inner,
    Named,
    Operator,
    Scalar,
    Value,
    norm2,
)

__all__ = [
    "Convention",
    "convex",
    "interpolation",
    "minimiser",
    "polyak_lojasiewicz",
    "positive_semidefinite",
    "smooth",
    "smooth_convex",
    "smooth_strongly_convex",
    "strongly_convex",
]

Convention = Literal["half", "bare"]

u, v = Named("u"), Named("v")


def smooth(
    name: str, function: Function, constant: Scalar, meaning: str, rules: tuple[str, ...]
) -> Assumption:
    r"""Smoothness: the gradient is Lipschitz; the descent lemma follows by integration.

    A theorem takes the `rules` that its proof uses, so that it assumes no more than it needs.

    Rules:
        lipschitz(u, v): $\|\nabla f(v) - \nabla f(u)\|^2 \le c^2 \|v - u\|^2$.
        descent(u, v): $f(v) \le f(u) + \langle\nabla f(u), v - u\rangle + (c/2)\|v - u\|^2$.

    Source: Nesterov 2004, Introductory Lectures on Convex Optimization, Lemma 1.2.3.
    """
    at_u, at_v = Gradient(function, u), Gradient(function, v)
    model = Value(function, u) + Inner(at_u, v - u) + constant / 2 * norm2(v - u)
    consequences = {
        "lipschitz": norm2(at_v - at_u) <= constant**2 * norm2(v - u),
        "descent": Value(function, v) <= model,
    }
    return Assumption(
        name,
        meaning,
        "Nesterov 2004, Lemma 1.2.3",
        tuple(Rule(rule, (u, v), consequences[rule]) for rule in rules),
    )


def polyak_lojasiewicz(
    name: str, function: Function, constant: Scalar, convention: Convention
) -> Assumption:
    r"""The PL condition for a function with minimum value 0, in the convention that is named.

    Rules:
        pl(u): `half`: $\tfrac12\|\nabla f(u)\|^2 \ge c f(u)$; `bare`: without the factor 1/2.

    Source: Karimi, Nutini, Schmidt 2016 (half); Bassily, Belkin, Ma 2018 (bare).
    """
    squared = norm2(Gradient(function, u))
    if convention == "half":
        relation, source = constant * Value(function, u) <= squared / 2, "Karimi et al. 2016"
    else:
        relation, source = constant * Value(function, u) <= squared, "Bassily, Belkin, Ma 2018"
    return Assumption(
        name,
        f"f satisfies the PL condition, convention PL-{convention}",
        source,
        (Rule("pl", (u,), relation),),
    )


def interpolation(name: str, sampled: Function) -> Assumption:
    r"""Interpolation: one point minimises every sample's loss, with value 0.

    Rules:
        nonnegative(u): $f_b(u) \ge 0$.
    """
    return Assumption(
        name,
        "every sample's loss is non-negative and one point makes all of them zero",
        "Ma, Bassily, Belkin 2018",
        (Rule("nonnegative", (u,), Value(sampled, u) >= ZERO),),
    )


def positive_semidefinite(name: str, operator: Operator, meaning: str) -> Assumption:
    r"""A symmetric operator with $\langle u, H u\rangle \ge 0$.

    Rules:
        psd(u): $\langle u, H u\rangle \ge 0$.
    """
    return Assumption(
        name, meaning, "definition", (Rule("psd", (u,), Inner(u, operator(u)) >= ZERO),)
    )


def _named(function: Function) -> str:
    return f"every {function.name}_b" if function.sampled else function.name


def convex(name: str, function: Function) -> Assumption:
    r"""Convexity: the graph lies above its tangents (subgradients, where f has kinks).

    Rules:
        tangent(u, v): $f(v) \ge f(u) + \langle\nabla f(u), v - u\rangle$.

    Source: Nesterov 2004, Introductory Lectures on Convex Optimization, Definition 2.1.1.
    """
    return strongly_convex(name, function, ZERO)


def strongly_convex(name: str, function: Function, constant: Scalar) -> Assumption:
    r"""Strong convexity with modulus c: $f - (c/2)\|\cdot\|^2$ is convex.

    Rules:
        tangent(u, v): $f(v) \ge f(u) + \langle\nabla f(u), v - u\rangle + (c/2)\|v - u\|^2$.

    Source: Nesterov 2004, Introductory Lectures on Convex Optimization, Definition 2.1.3.
    """
    below = Value(function, u) + Inner(Gradient(function, u), v - u)
    if constant == ZERO:
        meaning, place = f"{_named(function)} is convex", "Definition 2.1.1"
    else:
        meaning, place = f"{_named(function)} is strongly convex", "Definition 2.1.3"
        below = below + constant / 2 * norm2(v - u)
    rule = Rule("tangent", (u, v), below <= Value(function, v))
    return Assumption(name, meaning, f"Nesterov 2004, {place}", (rule,))


def smooth_convex(name: str, function: Function, constant: Scalar) -> Assumption:
    r"""Convexity and c-smoothness, as the inequality that characterises them between two points.

    Rules:
        interpolation(u, v): $f(v) \ge f(u) + \langle\nabla f(u), v - u\rangle +
            \frac1{2c}\|\nabla f(v) - \nabla f(u)\|^2$.

    Source: Nesterov 2004, Introductory Lectures on Convex Optimization, Theorem 2.1.5.
    """
    difference = Gradient(function, v) - Gradient(function, u)
    below = Value(function, u) + Inner(Gradient(function, u), v - u)
    below = below + norm2(difference) / (2 * constant)
    rule = Rule("interpolation", (u, v), below <= Value(function, v))
    meaning = f"{_named(function)} is convex and its gradient is Lipschitz"
    return Assumption(name, meaning, "Nesterov 2004, Theorem 2.1.5", (rule,))


def smooth_strongly_convex(
    name: str, function: Function, modulus: Scalar, constant: Scalar
) -> Assumption:
    r"""Strong convexity with modulus m and c-smoothness, m < c, by their interpolation inequality.

    The inequality holds between any two points of such a function, and values and gradients at
    finitely many points belong to such a function if it holds between all of them.

    Rules:
        interpolation(u, v): $f(v) \ge f(u) + \langle\nabla f(u), v - u\rangle +
            \frac1{2(1 - m/c)}\bigl(\frac1c\|\nabla f(v) - \nabla f(u)\|^2 + m\|v - u\|^2 -
            \frac{2m}c\langle\nabla f(v) - \nabla f(u), v - u\rangle\bigr)$.

    Source: Taylor, Hendrickx, Glineur 2017, Smooth strongly convex interpolation and exact
        worst-case performance of first-order methods, Theorem 4.
    """
    difference = Gradient(function, v) - Gradient(function, u)
    bend = norm2(difference) / constant + modulus * norm2(v - u)
    bend = bend - 2 * modulus / constant * Inner(difference, v - u)
    below = Value(function, u) + Inner(Gradient(function, u), v - u)
    below = below + bend / (2 * (1 - modulus / constant))
    return Assumption(
        name,
        f"{_named(function)} is strongly convex and its gradient is Lipschitz",
        "Taylor, Hendrickx, Glineur 2017, Theorem 4",
        (Rule("interpolation", (u, v), below <= Value(function, v)),),
    )


def minimiser(
    name: str, function: Function, point: Named, rules: tuple[str, ...] = ("critical",)
) -> Assumption:
    r"""A point that minimises a function.

    Rules:
        critical(u): $\langle\nabla f(x_*), u\rangle = 0$: the gradient there is zero.
        lowest(u): $f(x_*) \le f(u)$.
    """
    consequences = {
        "critical": Inner(Gradient(function, point), u).equals(ZERO),
        "lowest": Value(function, point) <= Value(function, u),
    }
    return Assumption(
        name,
        f"{point.name} minimises {_named(function)}",
        "definition; Fermat's rule",
        tuple(Rule(rule, (u,), consequences[rule]) for rule in rules),
    )
