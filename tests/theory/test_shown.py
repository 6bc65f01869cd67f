"""How theory's objects show themselves: well-formed, short, true, unseen by the kernel."""

import dataclasses
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction
from xml.etree import ElementTree

import matplotlib.pyplot as plt
import numpy as np
import pytest
from small import P_POSITIVE, make, p, small

import theory
from theory.evaluation import evaluate
from theory.opinions import examine
from theory.reading import Watched
from theory.search import SearchResult, SearchStatus
from theory.text.plotting import plot
from theory.text.printing import to_latex, to_text
from theory.text.shown import ATTACHED
from theory.trusted import terms
from theory.trusted.certificates import Fact
from theory.trusted.notation import H_b, beta, f_b, mu, radius, x, x_0
from theory.trusted.statements import Condition, Quantity, Status
from theory.trusted.wellformed import fields

THEOREMS = theory.load()
PROVED = THEOREMS["sam-pl-linear"]
REFUTED = THEOREMS["sam-stability-s4-published"]
FALSE = small(p >= 1, Fact("p > 0"), P_POSITIVE)


def parsed(item):
    """The elements of what a notebook shows, the style apart."""
    root = ElementTree.fromstring(item._repr_html_())
    for parent in root.iter():
        for style in parent.findall("style"):
            parent.remove(style)
    return root


def text(item):
    return " ".join("".join(parsed(item).itertext()).split())


def test_a_theorem_shows_verdict_statement_hypotheses_and_witness():
    root, shown = parsed(PROVED), text(PROVED)
    (badge,) = root.findall(".//span[@class='badge proved']")
    assert badge.text == "proved" and PROVED.title in shown
    labels = {e.get("aria-label") for e in root.iter() if e.get("class") == "formula"}
    for claim in (step.claim for step in PROVED.proof):
        assert to_text(claim) in labels
    for hypothesis in PROVED.hypotheses:
        assert hypothesis.name in shown
    assert labels >= {to_text(q.expression) for q in PROVED.quantities}
    instance = root.find(".//ul[@class='instance']")
    said = {"".join(item.itertext()) for item in instance}
    assert {"β=4", "L=3", "μ=1", "η=120", "ρ=120"} <= said  # 1/20 is a fraction with a bar
    assert "All hypotheses hold together in it." in shown
    assert len(list(root.iter("math"))) > 50
    assert not [e for e in root.iter() if "$" in (e.text or "")]  # which notebooks take for LaTeX


@pytest.mark.parametrize("theorem", THEOREMS.values(), ids=lambda t: t.id)
def test_every_theorem_has_a_short_line(theorem):
    line = repr(theorem)
    assert line.startswith(f"<Theorem {theorem.id}, {len(theorem.hypotheses)} ")
    assert len(line) <= 160 and line.isprintable()
    for item in (theorem.witness, theorem.refutation, *theorem.hypotheses, *theorem.quantities):
        assert item is None or parsed(item) is not None


def test_a_refuted_statement_shows_its_counterexample():
    shown = text(REFUTED)
    assert parsed(REFUTED).find(".//span[@class='badge refuted']") is not None
    assert "Every hypothesis holds in it, and claim fails." in shown
    assert REFUTED.repaired_by in shown and "Proof" not in shown


def test_what_is_not_proved_is_not_shown_as_a_proof():
    """The verdict is the kernel's, now, whatever the title says."""
    shown = replace(FALSE, title="proved <b>&amp; $x$", id="mine")
    assert parsed(shown).find(".//span[@class='badge proved']") is None
    assert parsed(shown).find(".//span[@class='badge undecided']") is not None
    assert "proved <b>&amp; $x$" in text(shown) and "is not the claim" in text(shown)
    assert "Claimed, and not proved" in text(shown) and "Conclusion" not in text(shown)
    root = parsed(replace(PROVED, expected=Status.REFUTED))
    assert "records refuted" in root.find(".//p[@class='differs']").text


def test_what_cannot_be_typeset_is_left_to_its_text():
    broken = replace(PROVED, proof=(replace(PROVED.proof[0], claim=None),))
    assert broken._repr_html_() is None and repr(broken).startswith("<Theorem sam-pl-linear")
    assert repr(terms.Const(0.5)) == "Const(value=0.5)"
    assert repr(terms.Sum((terms.Const(0.5), 3))) == "Sum(terms=…)"
    assert repr(terms.Inner(x, 3)) == "Inner(left=…, right=3)"
    assert terms.Param(r"a}\href{")._repr_latex_() is None
    assert repr(replace(PROVED, title="a\nb\x1b[2J")).isprintable()
    assert repr(replace(PROVED, hypotheses=None)) == "<Theorem, ill-formed>"


def test_reports_steps_and_witnesses():
    report = theory.check(PROVED)
    assert (
        repr(report)
        == f"<Report proved: {len(PROVED.proof)} of {len(PROVED.proof)} steps accepted>"
    )
    assert repr(report.steps[0]) == f"<StepReport {PROVED.proof[0].name!r}: accepted>"
    assert text(report).startswith("proved") and PROVED.proof[0].name in text(report)
    failed = theory.check(FALSE)
    assert repr(failed).startswith("<Report undecided: ") and "is not the claim" in repr(failed)
    assert "not accepted, " in repr(failed.steps[-1]) and "is not the claim" in text(failed)
    assert repr(PROVED.witness).startswith(
        "<Witness β = 4, L = 3, μ = 1, η = 1/20, ρ = 1/20, A_1 = "
    )
    root = THEOREMS["sam-stability-s4-sharp-middle"].refutation or PROVED.witness
    assert parsed(root).find(".//ul") is not None


def test_a_verdict_and_the_end_of_a_search():
    assert repr(examine(PROVED)) == "<Verdict sam-pl-linear: proved (kernel proved)>"
    assert text(examine(PROVED)) == text(PROVED)
    found = SearchResult(SearchStatus.FOUND, found=PROVED)
    assert repr(found) == "<Outcome found: sam-pl-linear>" and text(found) == text(PROVED)
    late = SearchResult(SearchStatus.TIMEOUT, "not finished after 1 s")
    assert repr(late) == "<Outcome timeout: not finished after 1 s>"
    assert text(late) == "timeout not finished after 1 s"


@pytest.mark.parametrize(
    ("item", "line"),
    [
        (radius * beta + 1, "ρβ + 1"),
        (radius * beta <= 1, "ρβ ≤ 1"),
        (x - 2 * x_0, "x - 2x₀"),
        (H_b(x), "H_b x"),
        (terms.Const(Fraction(1, 3)), "1/3"),
    ],
)
def test_expressions_are_their_text(item, line):
    assert repr(item) == str(item) == line
    assert f"{[item]}" == f"[{line}]"


def test_symbols_say_what_they_are_called():
    """The kernel refuses two that are written alike, and has to tell them apart."""
    assert repr(radius) == "Param(name='radius')" and str(radius) == "ρ"
    assert repr(x) == "Named(name='x')" and repr(f_b) == "Function(name='f', sampled=True)"
    alike = make(
        p >= 0, Fact("p > 0"), P_POSITIVE, Condition("same", terms.norm2(terms.Named("p")) >= 0)
    )
    reason = theory.check(alike).reason
    assert "Param(name='p')" in reason and "Named(name='p') are written alike" in reason


def test_expressions_are_typeset():
    assert (mu <= beta)._repr_latex_() == rf"$\displaystyle {to_latex(mu <= beta)}$"
    assert (x - x_0)._repr_latex_() == r"$\displaystyle x - x_{0}$"
    shown = parsed(Quantity("edge", radius / 2, "half a radius"))
    assert "".join(shown.itertext()) == "edge: half a radiusρ2"


def test_the_library_shows_a_table():
    library = theory.load()
    assert repr(library).startswith(f"<{len(library)} theorems: ") and len(repr(library)) < 120
    rows = list(parsed(library).iter("tr"))
    assert len(rows) == len(library) + 1
    for row, theorem in zip(rows[1:], library.values(), strict=True):
        cells = ["".join(cell.itertext()) for cell in row]
        assert (cells[0], cells[3]) == (theorem.id, theorem.expected.value)


def test_nothing_that_is_attached_can_touch_a_decision():
    """Names that neither kernel nor data classes read, on classes whose fields stay as declared."""
    names = {name for methods in ATTACHED.values() for name in methods}
    assert names <= {"__repr__", "__str__", "_repr_html_", "_repr_latex_"}
    for kind in ATTACHED:
        if kind is Watched:
            continue
        assert not names & {field.name for field in dataclasses.fields(kind)}
        assert fields(kind).keys() == {field.name for field in dataclasses.fields(kind)}


def test_an_instance_cannot_bring_a_method_of_its_own():
    """What stands in an instance's own dictionary is still refused."""
    own = replace(PROVED, id="own")
    vars(own)["_repr_html_"] = lambda: "<p>proved</p>"
    report = theory.check(own)
    assert report.status is Status.UNDECIDED and "other attributes than its fields" in report.reason


def test_a_number_in_gives_a_number_out():
    constants = {"beta": 1, "L": 1, "mu": 0.25}
    one = evaluate(PROVED, "factor", step_size=0.1, radius=0.05, **constants)
    assert type(one.value) is float and one.covered is True
    assert repr(one) == f"<Evaluation {one.value}>"
    many = evaluate(PROVED, "factor", step_size=[0.1, 0.2], radius=0.05, **constants)
    assert many.value.shape == many.covered.shape == (2,) and many.value[0] == one.value
    assert repr(many).startswith("<Evaluation of shape (2,), 2 covered, from 0.95")
    beyond = evaluate(PROVED, "factor", step_size=0.1, radius=9, **constants)
    assert type(beyond.value) is float and np.isnan(beyond.value) and beyond.covered is False
    assert repr(beyond) == "<Evaluation nan; failing: radius range>"
    assert type(evaluate(PROVED, "max_radius", **constants).value) is float


def test_a_quantity_is_drawn_where_the_theorem_speaks():
    radii = np.linspace(0, 1, 11)
    figure, ax = plt.subplots()
    constants = {"step_size": 0.1, "beta": 1, "L": 1, "mu": 0.25}
    assert plot(PROVED, "factor", ax, radius=radii, **constants) is ax
    (line,) = ax.lines
    places, heights = line.get_data()
    assert places.tolist() == radii.tolist() and line.get_label() == PROVED.id
    assert heights[0] == evaluate(PROVED, "factor", radius=0, **constants).value
    assert np.isnan(heights[radii > 0.4]).all() and np.isfinite(heights[radii < 0.4]).all()
    assert ax.get_xlabel().startswith(r"$\rho$: ") and "expected loss" in ax.get_ylabel()
    figure.canvas.draw()
    plt.close(figure)


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"radius": 0.1, "mu": 0.25}, "none"),
        ({"radius": [0.1, 0.2], "mu": [0.1, 0.2]}, "radius, mu"),
        ({"radius": [[0.1, 0.2]], "mu": 0.25}, "radius"),
    ],
)
def test_one_parameter_is_drawn_against(given, named):
    with pytest.raises(ValueError, match=f"^arrays: {named}; give one parameter a 1-d array"):
        plot(PROVED, "factor", step_size=0.1, beta=1, L=1, **given)


def test_importing_theory_draws_nothing():
    slow = "import sys, theory; print(sorted({'sympy', 'matplotlib', 'scipy'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", slow], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
