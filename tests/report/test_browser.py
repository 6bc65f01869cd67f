"""The page in headless Chromium: no complaint, filter, sliders, dark and light, a phone."""

import numpy as np
import pytest
from oracles import browser

import theory

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(browser.chromium() is None, reason="Chromium is not installed"),
]
SHOWN = "[...document.querySelectorAll('article')].filter((a) => !a.hidden).map((a) => a.id)"
MOVE = """
const move = (id, value) => {
  const control = document.getElementById(id);
  control.value = value;
  control.dispatchEvent(new Event("input", { bubbles: true }));
};
const drawn = () => [document.getElementById("chart").innerHTML,
  document.getElementById("trace").innerHTML, document.getElementById("reading").textContent];
"""


@pytest.fixture
def visit(report, tmp_path):
    def call(script, **options):
        found, complaints = browser.visit(report.html, script, tmp_path, **options)
        assert complaints == []
        return found

    return call


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [390, 1280])
def test_every_theorem_is_readable(visit, report, width, dark):
    found = visit(
        f"""
        const page = document.documentElement;
        const blank = [...document.querySelectorAll("article math")]
          .filter((m) => !m.closest("details") && m.getBoundingClientRect().width === 0);
        const colour = (e, name) => getComputedStyle(e)[name].match(/\\d+/g).map(Number);
        return {{ shown: {SHOWN}, blank: blank.length, wide: page.scrollWidth,
          ink: colour(document.body, "color"), paper: colour(document.body, "backgroundColor") }};
        """,
        width=width,
        dark=dark,
    )
    assert len(found["shown"]) == report.theorems
    assert found["blank"] == 0
    assert found["wide"] <= width  # nothing to scroll sideways but what is in a frame of its own
    brighter = np.mean(found["ink"]) - np.mean(found["paper"])
    assert brighter > 150 if dark else brighter < -150


def test_the_whole_library_without_a_complaint(whole, tmp_path):
    found, complaints = browser.visit(whole.html, f"return {SHOWN};", tmp_path)
    assert complaints == []
    assert found == list(theory.load())


def test_a_complaint_is_noticed(report, tmp_path):
    broken = report.html.replace('"use strict";', '"use strict"; nothing();')
    _, complaints = browser.visit(broken, "return 1", tmp_path)
    assert any("nothing is not defined" in said for said in complaints)


def test_the_filter(visit):
    found = visit(
        MOVE
        + f"""
        const found = [];
        for (const [id, value] of [["status", "refuted"], ["query", "s_2"], ["status", ""],
          ["query", "lyapunov matrix"], ["query", ""], ["outcome", "consistent"]]) {{
          move(id, value);
          found.push([{SHOWN}, document.getElementById("count").value]);
        }}
        const linked = document.getElementById("pl-half-to-bare");
        const row = document.querySelector("tr[data-theorem='pl-half-to-bare']");
        const before = [linked.hidden, row.hidden];
        location.hash = "#pl-half-to-bare";
        reveal();  // what the browser asks for once this script has ended
        return {{ found, before, after: [linked.hidden, row.hidden] }};
        """
    )
    shown = [sorted(names) for names, _ in found["found"]]
    assert shown[0] == ["sam-stability-one-step-necessary", "sgd-stability-s2-published"]
    assert "sgd-stability-s2-published" in shown[1] and set(shown[1]) <= set(shown[0])
    assert "sam-stability-s2-sharp" in shown[2] and "pl-half-to-bare" not in shown[2]
    assert "lyapunov-stability" in shown[3] and "pl-half-to-bare" not in shown[3]
    assert len(shown[4]) == 7 and shown[5] == ["sam-edge", "sam-pl-linear"]
    assert found["found"][5][1] == "2 of 7 theorems"
    assert (found["before"], found["after"]) == ([True, True], [False, False])


def test_sliders_move_the_map(visit, explorer):
    settings = [("step", 0.9), ("radius", 2), ("batch", 5), ("minimum", 1)]
    moves = "".join(f"move({name!r}, {value}); found.push(drawn());" for name, value in settings)
    found = visit(
        MOVE
        + "const found = [drawn()];"
        + moves
        + "return { found, batch: document.getElementById('batch').max };"
    )
    for before, after in zip(found["found"], found["found"][1:], strict=False):
        assert all(old != new for old, new in zip(before, after, strict=True))
    assert int(found["batch"]) == explorer["minima"][1]["samples"]


def test_the_script_says_what_the_numbers_say(visit, explorer):
    """Verdicts and E|x_t|² of the page's own functions, at both ends of the certified bracket."""
    found = visit(
        """
        return data.minima.map((minimum) => minimum.batches.map((batch) => batch.map((at) => [
          classify(at, at.lower * (1 - 1e-9)), classify(at, at.upper * (1 + 1e-9)),
          secondMoments(at, 0.8 * at.exact), secondMoments(at, 1.3 * at.exact)])));
        """
    )
    for minimum, said in zip(explorer["minima"], found, strict=True):
        for batch, batch_said in zip(minimum["batches"], said, strict=True):
            for at, (below, beyond, stable, unstable) in zip(batch, batch_said, strict=True):
                assert (below, beyond) == ("stable", "unstable")
                for share, page in ((0.8, stable), (1.3, unstable)):
                    step_size = share * at["exact"]
                    linear, quadratic = np.array(at["linear"]), np.array(at["quadratic"])
                    step = np.eye(3) - 2 * step_size * linear + step_size**2 * quadratic
                    powers = [np.linalg.matrix_power(step, t) for t in range(len(page))]
                    traces = [(p @ [0.5, 0.0, 0.5])[[0, 2]].sum() for p in powers]
                    # 60 products of 3 x 3 matrices, in another order
                    assert page == pytest.approx(traces, rel=1e-8)


def test_keys_move_a_slider(visit):
    """Sliders, selects and folds are the browser's own, so the keyboard works without a script."""
    found = visit(
        """
        const controls = [...document.querySelectorAll("#explorer input, #explorer select")];
        return controls.map((c) => [c.tagName, c.type, c.tabIndex, c.labels.length]);
        """
    )
    assert [tag for tag, *_ in found] == ["SELECT", "INPUT", "INPUT", "INPUT"]
    assert all(index == 0 and labels == 1 for *_, index, labels in found)
    assert {kind for tag, kind, *_ in found if tag == "INPUT"} == {"range"}
