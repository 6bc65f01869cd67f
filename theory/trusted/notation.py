"""The symbols: one table for printing, documentation and evaluation (see NOTATION.md)."""

from __future__ import annotations

from dataclasses import dataclass

from theory.trusted.terms import Function, Named, Operator, Param


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
    "root": Symbol(r"\theta", "θ", "root of the inverse condition number: μ = θ²β"),
    "width": Symbol("w", "w", "how far a step misses the best one: βw² = μ(1 - 2Lη') + β(Lη')²"),
    "cotangent": Symbol(
        r"\kappa", "κ", "κ² = s/μ - 1: the cotangent of arcsin √(μ/s), s = β or less"
    ),
    "cosine": Symbol(
        r"\phi", "φ", "√(1 - σ²) for SAM's tilt σ: |∇f_b(x + ρ∇f_b) - ∇f_b| ≤ σ|∇f_b|"
    ),
    "stretch": Symbol(r"\zeta", "ζ", "root of how much SAM can stretch H_b: ζ² = 1 + βρ"),
    "p": Symbol(
        "p", "p", "what a batch of B of n keeps of the variance: (n - B)/(B(n - 1)) or 1/B"
    ),
    "edge": Symbol("t_*", "t*", "SAM's edge: ρ t*² + η t* = 2η; it is 2 at ρ = 0"),
    "a": Symbol("a", "a", "sharpness: the largest eigenvalue of H"),
    "s_2": Symbol("s_2", "s₂", "square root of the largest eigenvalue of E H_b² - H²"),
    "s_3": Symbol("s_3", "s₃", "cube root of the largest eigenvalue of E H_b³ - H³"),
    "s_4": Symbol("s_4", "s₄", "fourth root of the largest eigenvalue of E H_b⁴ - H⁴"),
    "landing": Symbol("t_0", "t₀", "where one step lands on the minimum: ρ t₀² + η t₀ = η"),
    "contact": Symbol(
        r"\omega", "ω", "sum of the two values of ρH_b where a law attains a bound on s₃"
    ),
    "peak": Symbol(r"\nu", "ν", "ρ⟨u, Hu⟩ where a law attains a bound on s₃"),
    "b": Symbol("b", "b", "another eigenvalue of H"),
    "c": Symbol("c", "c", "amplitude of a cycle along v; at a saddle, the negative curvature -c"),
    "n": Symbol("n", "n", "samples"),
    "batch_size": Symbol("B", "B", "samples in a batch"),
    "smaller_batch": Symbol("m", "m", "samples in a smaller batch"),
    "gradient_norm": Symbol("g", "g", "norm of the gradient where a normalised step starts"),
    "next_gradient_norm": Symbol("g^+", "g⁺", "the same where the next one starts"),
    "squared_radius_of_ball": Symbol("S", "S", "square of the radius of a ball"),
    "sigma": Symbol(r"\sigma", "σ", "root of a bound on the variance E|∇f_b - ∇f|²"),
    "growth": Symbol(r"\gamma", "γ", "strong growth: E|∇f_b|² ≤ γ|∇f|²"),
    "residual": Symbol("A", "A", "expected residual: E|∇f_b|² ≤ 2A f + γ|∇f|² + C"),
    "noise": Symbol("C", "C", "the constant of the expected residual"),
    "floor": Symbol("N", "N", "expected loss that noise leaves: fixed point of the recursion"),
    "index": Symbol("k", "k", "index of a step in a schedule"),
    "level": Symbol("D", "D", "bound on k E f(x_k)"),
    "expected_loss": Symbol("e", "e", "an expected loss, as E f(x_k) in a schedule"),
    "kappa": Symbol(
        r"\kappa_*",
        "κ*",
        "how large noise is: E G_b V G_b against κ*C(V); 2/κ* is a threshold of η",
    ),
    "delta": Symbol(r"\delta", "δ", "how far noise exceeds energy: E G_b V G_b ⪰ δV"),
    "alignment": Symbol(r"\omega_*", "ω*", "alignment of the gradient noise with the Hessian"),
    "frobenius": Symbol("F", "F", "Frobenius norm of H"),
    "frobenius_of_step": Symbol("F_G", "F_G", "Frobenius norm of E(H_b + ρH_b²)"),
    "root_rank": Symbol(r"\tau", "τ", "root of the rank of H"),
    "spectral_radius": Symbol(r"\Lambda", "Λ", "the largest eigenvalue of X ↦ E M_b X M_b"),
    "eigenvalue": Symbol(r"\lambda", "λ", "the smallest eigenvalue of E M_b"),
}

step_size, radius = Param("step_size"), Param("radius")
beta, L, mu, alpha = Param("beta"), Param("L"), Param("mu"), Param("alpha")
root, edge, landing = Param("root"), Param("edge"), Param("landing")
contact, peak = Param("contact"), Param("peak")
width, cotangent, cosine = Param("width"), Param("cotangent"), Param("cosine")
stretch, p = Param("stretch"), Param("p")
x, x_0 = Named("x"), Named("x_0")
f, f_b = Function("f"), Function("f", sampled=True)
H, H_b = Operator("H", symmetric=True), Operator("H", sampled=True, symmetric=True)


def in_latex(name: str) -> str:
    """A name with its index, which may be a printed time; words of several letters are one."""
    base, _, index = name.partition("_")
    base = base if len(base) == 1 else rf"\mathit{{{base}}}"
    index = r"\star" if index == "star" else index.strip("{}").replace("_", r"\_")
    return f"{base}_{{{index}}}" if index else base


def symbol(name: str) -> Symbol:
    """The symbol of a parameter; a name that is not in the table stands for itself."""
    return SYMBOLS.get(name, Symbol(in_latex(name), name, ""))


def written(item: Function | Named | Operator | Param) -> str:
    """How a symbol begins in print: two different ones must not be written alike."""
    return symbol(item.name).text if isinstance(item, Param) else item.name


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
    for name, s in SYMBOLS.items():
        cells = (f"`{name}`", s.text, s.meaning)
        rows.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    rows += [
        "| `f`, `f_b` | f, f_b | mean loss and loss of the random sample b: f = E f_b |",
        "| `H`, `H_b` | H, H_b | mean Hessian and Hessian of the sample b: H = E H_b |",
        "| `x`, `x_0` | x, x₀ | an arbitrary point; the starting point |",
        "",
        "Vectors are elements of a real inner-product space of any dimension.  Parameters are real",
        'numbers.  An operator is linear and no more: `Operator("J")` may be skew, and',
        '`J.adjoint`, written J*, is its adjoint.  `Operator("H", symmetric=True)` is symmetric;',
        "of this table H and H_b are.  A sampled function or operator has the one without",
        "the index b as its mean.  One name is one object.",
        "",
        "The minimum value of every f_b is 0 under interpolation.  The linearised dynamics places",
        "the minimum at the origin.  `Mean` is the expectation E over b, `Along` the expectation",
        "over the whole history at iterate t.",
    ]
    return "\n".join(rows) + "\n"
