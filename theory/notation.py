"""The symbols: one table for printing, documentation and evaluation (see NOTATION.md)."""

from __future__ import annotations

from dataclasses import dataclass

from theory.expressions.terms import Function, Named, Operator, Param


@dataclass(frozen=True)
class Symbol:
    """How a parameter is written and what it means."""

    latex: str
    text: str
    meaning: str


SYMBOLS: dict[str, Symbol] = {
    "step_size": Symbol(r"\eta", "η", "step size of the descent"),
    "radius": Symbol(r"\rho", "ρ", "perturbation radius of the ascent; 0 is plain SGD"),
    "beta": Symbol(r"\beta", "β", "smoothness constant of every sample's loss f_b"),
    "L": Symbol("L", "L", "smoothness constant of the mean loss f"),
    "mu": Symbol(r"\mu", "μ", "PL constant, convention PL-half: ½|∇f|² ≥ μ f"),
    "alpha": Symbol(r"\alpha", "α", "PL constant, convention PL-bare: |∇f|² ≥ α f; α = 2 μ"),
    "root": Symbol(r"\sqrt{\mu/\beta}", "√(μ/β)", "root of the inverse condition number μ/β"),
    "edge": Symbol("t_*", "t*", "SAM's edge: ρ t*² + η t* = 2η; it is 2 at ρ = 0"),
    "a": Symbol("a", "a", "sharpness: the largest eigenvalue of H"),
    "s_2": Symbol("s_2", "s₂", "square root of the largest eigenvalue of E H_b² - H²"),
    "s_3": Symbol("s_3", "s₃", "cube root of the largest eigenvalue of E H_b³ - H³"),
    "s_4": Symbol("s_4", "s₄", "fourth root of the largest eigenvalue of E H_b⁴ - H⁴"),
    "eigenvalue": Symbol(r"\lambda", "λ", "the smallest eigenvalue of E M_b"),
}

step_size, radius = Param("step_size"), Param("radius")
beta, L, mu, alpha = Param("beta"), Param("L"), Param("mu"), Param("alpha")
root, edge = Param("root"), Param("edge")
x, x_0 = Named("x"), Named("x_0")
f, f_b = Function("f"), Function("f", sampled=True)
H, H_b = Operator("H"), Operator("H", sampled=True)


def symbol(name: str) -> Symbol:
    """The symbol of a parameter; a name that is not in the table stands for itself."""
    return SYMBOLS.get(name, Symbol(rf"\mathit{{{name}}}".replace("_", r"\_"), name, ""))


def table() -> str:
    """The notation as a Markdown table: what NOTATION.md holds."""
    rows = [
        "# Notation",
        "",
        "One symbol, one identifier, one convention.  Everything is dimensionless.",
        "",
        "| identifier | symbol | meaning |",
        "| --- | --- | --- |",
    ]
    rows += [f"| `{name}` | {s.text} | {s.meaning} |" for name, s in SYMBOLS.items()]
    rows += [
        "| `f`, `f_b` | f, f_b | mean loss and loss of the random sample b: f = E f_b |",
        "| `H`, `H_b` | H, H_b | mean Hessian and Hessian of the sample b: H = E H_b |",
        "| `x`, `x_0` | x, x₀ | an arbitrary point; the starting point |",
        "",
        "The minimum value of every f_b is 0 under interpolation.  The linearised dynamics places",
        "the minimum at the origin.  `Mean` is the expectation E over b, `Along` the expectation",
        "over the whole history at iterate t.",
    ]
    return "\n".join(rows) + "\n"
