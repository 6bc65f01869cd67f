"""The page: well-formed, complete, and in need of nothing else."""

import base64
import json
import re
from dataclasses import replace
from html import unescape

import pytest
from oracles.html_page import Page, section

import theory
from numerics.confrontations.verdicts import Point, judge
from paper_figures.report.measured import Measured, read
from paper_figures.report.page import render
from theory.opinions import Opinion, Verdict, examine
from theory.opinions.coq_theorem import document as coq
from theory.text.markup import Markup, prose, tag
from theory.text.printing import to_text
from theory.trusted.certificates import Fact
from theory.trusted.statements import Condition, Report, Status
from theory.wire import decode


@pytest.fixture(scope="module")
def page(report):
    return Page(report.html)


def shown(page):
    return [attrs["id"] for attrs in page.of("article")]


def test_ids_are_unique_and_every_link_within_the_page_arrives(page, report):
    assert len(page.ids) == len(set(page.ids))
    targets = {a["href"][1:] for a in page.of("a") if a["href"].startswith("#")}
    # links to theorems that this page leaves out arrive in the page of the whole library
    assert targets - set(page.ids) <= set(theory.load()) - set(shown(page))


def test_nothing_is_loaded(page, report):
    for tag_name, attrs, _, _ in page.elements:
        for name in ("src", "srcset", "poster", "data", "action", "xlink:href"):
            assert attrs.get(name, "data:").startswith("data:"), (tag_name, attrs[name][:80])
        if tag_name == "link":
            assert attrs["href"].startswith("data:")
    assert not re.search(r"@import|url\(\s*['\"]?(?!data:)", report.html)
    assert not re.search(r"\b(fetch|XMLHttpRequest|WebSocket|import)\s*\(", report.html)


def test_verdicts_of_kernel_and_measurements(page):
    status = {a["id"]: (a["data-status"], a["data-measured"]) for a in page.of("article")}
    assert status == {
        "lyapunov-stability": ("proved", "not measured"),
        "pl-half-to-bare": ("proved", "not measured"),
        "sam-edge": ("proved", "consistent"),
        "sam-pl-linear": ("proved", "consistent"),
        "sam-stability-one-step-necessary": ("refuted", "not measured"),
        "sgd-stability-s2-published": ("refuted", "not measured"),
        "sam-stability-s2-sharp": ("proved", "inconclusive"),
    }
    rows = [a["data-theorem"] for a in page.of("tr") if "data-theorem" in a]
    entries = [a["data-theorem"] for a in page.of("li") if "data-theorem" in a]
    assert rows == shown(page) and sorted(entries) == sorted(rows)


def test_each_card_holds_the_formulas_of_its_theorem(report, page):
    for name in shown(page):
        theorem, card = theory.get(name), section(report.html, name)
        labels = [unescape(label) for label in re.findall(r'role="math" aria-label="(.*?)"', card)]
        claims = [step.claim for step in theorem.proof]
        claims += [h.relation for h in theorem.hypotheses if isinstance(h, Condition)]
        for relation in claims:
            assert to_text(relation) in labels
        assert all("<math" in part and "<mi>" in part for part in formulas(card))


def formulas(card):
    """Every formula that has a letter in it."""
    found = re.findall(r'<div class="formula" role="math" aria-label="(.*?)">(.*?)</div>', card)
    return [markup for label, markup in found if re.search(r"[^\W\d_]", unescape(label))]


def test_implicit_hypotheses_are_marked(report, page):
    for name in shown(page):
        hypotheses = theory.get(name).hypotheses
        listed = re.search(r'<ul class="hypotheses">(.*?)</ul>', section(report.html, name), re.S)[
            1
        ]
        items = re.findall(r"<li( class=\"implicit\")?>(.*?)</li>", listed, re.S)
        assert [bool(mark) for mark, _ in items] == [h.implicit for h in hypotheses]
        for (_, text), hypothesis in zip(items, hypotheses, strict=True):
            assert ("implicit in the source" in text) is hypothesis.implicit


def test_an_unused_hypothesis_is_marked(report):
    theorem = theory.get("sam-pl-linear")
    verdict = examine(theorem)
    for name in verdict.report.redundant:
        assert "not used by the proof" in section(report.html, theorem.id), name
    assert section(report.html, theorem.id).count("not used by the proof") == sum(
        isinstance(h, Condition) and h.name in verdict.report.redundant for h in theorem.hypotheses
    )


def test_downloads_are_the_files(page):
    files = {a["download"]: a["href"] for a in page.of("a") if "download" in a}
    assert len(files) == 2 * len(shown(page))
    for name in shown(page):
        certificate, proof = (
            base64.b64decode(files[f"{name}.{kind}"].partition(",")[2]).decode()
            for kind in ("json", "v")
        )
        (entry,) = json.loads(certificate)["theorems"]
        assert decode(entry["theorem"]) == theory.get(name)
        assert entry["status"] == theory.get(name).expected.value
        assert proof == coq(theory.get(name)).text


def test_a_counterexample_shows_its_numbers_and_what_is_true(report):
    card = section(report.html, "sam-stability-one-step-necessary")
    assert "6341/5184 ≤ 1" in card  # as `explain` prints it
    assert 'href="#lyapunov-stability"' in card


def test_figures_are_those_of_the_documentation(report, page, root):
    names = {a["id"].removeprefix("figure-") for a in page.of("figure")}
    assert "stability_map" in names
    for image in page.of("img"):
        data = base64.b64decode(image["src"].partition("base64,")[2])
        assert data.startswith(b"\x89PNG") and image["alt"]
    assert 'href="#figure-sharper_bounds"' in section(report.html, "sam-stability-s2-sharp")


def test_measurements_are_told_with_their_reasons(report):
    card = section(report.html, "sam-edge")
    assert "attained" in card and "its a &lt; b &amp; c are not known" in card
    assert "5.0e-01" in section(report.html, "sam-pl-linear")  # the slack (1 - 1/2)/1


def test_without_measurements_nothing_is_claimed(explorer):
    verdict = examine(theory.get("pl-half-to-bare"))
    found = render([verdict], None, (), explorer)
    assert "Not measured." in section(found.html, "pl-half-to-bare")
    assert "Measurements: not measured for this page." in found.html
    assert "✓ consistent" not in found.html and 'class="badge consistent"' not in found.html


def test_an_undecided_proof_and_a_violation_stand_out(explorer):
    theorem = theory.get("pl-half-to-bare")
    report = Report(Status.UNDECIDED, "a step <failed>")
    undecided = Verdict(
        theorem, Status.UNDECIDED, {"kernel": Opinion("undecided", report.reason)}, report, 0.0
    )
    violated = judge(theorem.id, "toy", "it", [Point(2.0, 1.0, 0.0, {"step_size": 1.0})])
    measured = Measured("0", "cpu", 1, {theorem.id: (violated,)})
    found = render([undecided], measured, (), explorer)
    card = section(found.html, theorem.id)
    assert "Recorded as proved, but undecided." in card and "a step &lt;failed&gt;" in card
    assert "measured 2 &gt; bound 1" in card
    assert (found.differing, found.violated) == ((theorem.id,), (theorem.id,))
    assert not found.as_recorded


def test_the_same_verdicts_give_the_same_bytes(report, explorer, document, root):
    from paper_figures.report.figures import related

    verdicts = [examine(theory.get(name)) for name in shown(Page(report.html))]
    again = render(
        verdicts,
        read(document, theory.load(), "a test"),
        related(root / "docs", theory.load()),
        explorer,
    )
    assert again.html == report.html


def test_a_proof_without_a_coq_file_says_why(explorer):
    theorem = theory.get("pl-half-to-bare")
    nothing = replace(theorem.proof[0], certificate=Fact("gone"))
    broken = replace(theorem, proof=(nothing,))
    card = section(render([examine(broken)], None, (), explorer).html, theorem.id)
    assert "There is no Coq file: it is undecided" in card
    assert f'download="{theorem.id}.v"' not in card
    assert "Recorded as proved, but undecided." in card and "0 of 1 steps accepted" in card
    assert "Claimed, and not proved" in card and "Not accepted: there is no fact" in card
    assert "Proof" not in card and "Conclusion" not in card


def test_a_step_says_what_it_is_from(report):
    card = section(report.html, "sam-pl-linear")
    step = card[card.index('<span class="name">perturbed gradient</span>') :]
    assert "From smooth samples (lipschitz)" in step[: step.index("</li>")]


def test_each_checker_has_a_column_beside_the_verdict(explorer):
    disputed = replace(
        examine(theory.get("pl-half-to-bare")),
        status=Status.ERROR,
        opinions={"kernel": Opinion("proved"), "z3": Opinion("refuted", "x = 1")},
    )
    html = render([disputed], None, (), explorer).html
    row = html[html.index('<tr data-theorem="pl-half-to-bare">') :]
    badges = re.findall(r'class="badge ([\w-]+)"', row[: row.index("</tr>")])
    assert badges == ["error", "proved", "refuted", "not-measured"]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("ηf_b is s_2² or s_3^3", "ηf<sub>b</sub> is s<sub>2</sub>² or s<sub>3</sub><sup>3</sup>"),
        ("|H_b^k|_F, x_star", "|H<sub>b</sub><sup>k</sup>|<sub>F</sub>, x<sub>⋆</sub>"),
        ("λ_max at x_{t+1}", "λ<sub>max</sub> at x<sub>t+1</sub>"),
        ("step_size and a_long", "step_size and a_long"),
        ("a < b & c", "a &lt; b &amp; c"),
        (
            "by sam-edge, not sam-edge-x",
            'by <a href="#sam-edge"><code>sam-edge</code></a>, not sam-edge-x',
        ),
        ("arXiv 2311.17539", '<a href="https://arxiv.org/abs/2311.17539">arXiv 2311.17539</a>'),
    ],
)
def test_prose_links_and_sets_scripts(text, shown):
    assert prose(text, ["sam", "sam-edge"]) == shown


def test_text_is_escaped_and_markup_is_not():
    assert tag("p", "<b>", Markup("<i></i>"), None, title='"<', hidden=True, open=False) == (
        '<p title="&quot;&lt;" hidden>&lt;b&gt;<i></i></p>'
    )


@pytest.mark.slow
def test_the_page_of_the_whole_library(whole):
    page = Page(whole.html)
    library = theory.load()
    assert shown(page) == list(library)
    assert {a["id"]: a["data-status"] for a in page.of("article")} == {
        name: theorem.expected.value for name, theorem in library.items()
    }
    assert {a["href"][1:] for a in page.of("a") if a["href"].startswith("#")} <= set(page.ids)
    assert whole.as_recorded and whole.theorems == len(library)
    assert len(whole.html.encode()) < 7e6  # what a mail of ten megabytes carries in base64
