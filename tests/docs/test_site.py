"""The documentation site builds without a warning, and what it says and links to is there."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

import theory

pytest.importorskip("mkdocs", reason="pip install 'sam-theory[docs]'")
pytest.importorskip("material", reason="pip install 'sam-theory[docs]'")
pytest.importorskip("mkdocstrings", reason="pip install 'sam-theory[docs]'")
markdown = pytest.importorskip("markdown", reason="pip install 'sam-theory[docs]'")
pytest.importorskip("latex2mathml", reason="pip install 'sam-theory[docs]'")

ROOT = Path(__file__).parents[2]
GENERATE = ROOT / "docs" / "generate"
#: Written as code and alike, but no theorem.
PROGRAMS = {"sam-theory", "sam-prove", "sam-measure", "sam-figures"}


@dataclass
class Html(HTMLParser):
    """What the tests ask of a page."""

    links: list[str] = field(default_factory=list)
    resources: list[str] = field(default_factory=list)
    anchors: set[str] = field(default_factory=set)
    formulas: int = 0
    codes: list[str] = field(default_factory=list)
    title: str = ""
    headings: list[str] = field(default_factory=list)
    open: list[str] = field(default_factory=list)

    def __post_init__(self):
        super().__init__()

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.open.append(tag)
        self.anchors |= {given[key] for key in ("id", "name") if given.get(key)}
        if tag == "a" and given.get("href"):
            self.links.append(given["href"])
        if tag == "link" and given.get("rel") not in ("prev", "next", "canonical"):
            self.resources.append(given.get("href", ""))
        if tag in ("script", "img", "iframe", "source", "video", "audio") and given.get("src"):
            self.resources.append(given["src"])
        self.formulas += tag == "math"
        if tag in ("title", "h1", "code"):
            {"title": [], "h1": self.headings, "code": self.codes}[tag].append("")

    def handle_endtag(self, tag):
        while self.open and self.open.pop() != tag:
            pass

    def handle_data(self, data):
        if "title" in self.open[-1:]:
            self.title += data
        if "h1" in self.open:
            self.headings[-1] += data
        if "code" in self.open:
            self.codes[-1] += data


def loaded(name):
    """A module of the generator, by its file."""
    spec = importlib.util.spec_from_file_location(name, GENERATE / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def built(folder):
    """The site, built without a warning: place -> parsed page."""
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet"]
    command += ["-f", str(GENERATE / "mkdocs.yml"), "-d", str(folder)]
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    pages = {}
    for path in sorted(folder.rglob("*.html")):
        page = pages[path.relative_to(folder).as_posix()] = Html()
        page.feed(path.read_text(encoding="utf-8"))
    return pages


def every_theorem_has_a_page_with_its_verdict(folder, pages):
    for theorem in theory.load().values():
        place = f"theorems/{theorem.id}.html"
        assert f"{theorem.id}.html" in pages["theorems/index.html"].links
        text = (folder / place).read_text(encoding="utf-8")
        assert f'class="verdict {theorem.expected.value}"' in text
        rules = [getattr(h, "rules", (h,)) for h in theorem.hypotheses]
        # every step of the proof or claim, and every hypothesis, is typeset
        assert pages[place].formulas >= len(theorem.proof) + sum(map(len, rules)), theorem.id
        assert all(finding.split()[0] in text for finding in theorem.findings)


def every_page_has_a_title_and_one_heading(folder, pages):
    assert len(pages) > len(theory.load())
    for place, page in pages.items():
        assert page.title.strip(), place
        assert place == "404.html" or len([h for h in page.headings if h.strip()]) == 1, place


def nothing_is_fetched_from_elsewhere(folder, pages):
    for place, page in pages.items():
        for address in page.resources:
            assert not urlsplit(address).scheme and not address.startswith("//"), (place, address)
    for sheet in folder.rglob("*.css"):
        fetched = re.findall(r"(?:url\(|@import)\s*['\"]?(https?:|//)", sheet.read_text())
        assert not fetched, sheet


def every_link_inside_the_site_leads_somewhere(folder, pages):
    checked = 0
    for place, page in pages.items():
        for address in [*page.links, *page.resources]:
            link = urlsplit(address)
            if link.scheme or place == "404.html":
                continue
            here = folder / place
            target = (here.parent / unquote(link.path)).resolve() if link.path else here
            if target.is_dir():
                target /= "index.html"
            assert target.is_file(), (place, address)
            anchor = unquote(link.fragment)
            if anchor and target.suffix == ".html":
                there = pages[target.relative_to(folder.resolve()).as_posix()]
                assert anchor in there.anchors or anchor == "__comments", (place, address)
            checked += 1
    assert checked > 1000


def what_is_written_as_the_id_of_a_theorem_is_one(folder, pages):
    kinds = {name.split("-")[0] for name in theory.load()}
    for place, page in pages.items():
        for code in page.codes:
            if re.fullmatch(r"[a-z]+(?:-[a-z0-9]+)+", code) and code.split("-")[0] in kinds:
                assert code in theory.load() or code in PROGRAMS, (place, code)


def no_formula_is_left_as_latex(folder, pages):
    for place in pages:
        text = (folder / place).read_text(encoding="utf-8")
        prose = re.sub(r"<(pre|code|script)\b.*?</\1>", "", text, flags=re.S)
        left = re.search(r"\$\$|\\(?:frac|tfrac|le|ge|langle|nabla|mathbb|lVert|[,|(\[])", prose)
        assert left is None, (place, prose[max(0, left.start() - 80) : left.end() + 80])


def computed_tables_are_in_place(folder, pages):
    for path in folder.rglob("*.html"):
        assert "<!-- computed:" not in path.read_text(encoding="utf-8")
    assert "theory/trusted/kernel.py" in (folder / "trust.html").read_text(encoding="utf-8")
    comparison = (folder / "comparison.html").read_text(encoding="utf-8")
    for path in (ROOT / "benchmarks" / "results").glob("*.json"):
        assert path.stem in comparison


def every_committed_figure_of_a_recipe_is_shown(folder, pages):
    from paper_figures.recipes import discover

    shown = set(pages["figures.html"].resources)
    drawn = [n for n in discover() if (ROOT / "docs" / "images" / f"{n}.png").is_file()]
    assert drawn and {f"images/{name}.png" for name in drawn} <= shown


@pytest.mark.slow
def test_the_site(tmp_path):
    """One test, since one build serves all."""
    pages = built(tmp_path)
    every_theorem_has_a_page_with_its_verdict(tmp_path, pages)
    every_page_has_a_title_and_one_heading(tmp_path, pages)
    nothing_is_fetched_from_elsewhere(tmp_path, pages)
    every_link_inside_the_site_leads_somewhere(tmp_path, pages)
    what_is_written_as_the_id_of_a_theorem_is_one(tmp_path, pages)
    no_formula_is_left_as_latex(tmp_path, pages)
    computed_tables_are_in_place(tmp_path, pages)
    every_committed_figure_of_a_recipe_is_shown(tmp_path, pages)


def test_every_public_module_belongs_to_one_task(monkeypatch):
    monkeypatch.syspath_prepend(str(GENERATE))
    listed = [name for names in loaded("reference").tasks().values() for name in names]
    skipped = ("theory/library/", "paper_figures/figures/")
    expected = set()
    for package in ("theory", "numerics", "paper_figures"):
        for path in (ROOT / package).rglob("*.py"):
            place = path.relative_to(ROOT).as_posix()
            name = place.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
            if not place.startswith(skipped) and not re.search(r"(^|\.)_", name):
                expected.add(name)
    assert len(listed) == len(set(listed))
    assert set(listed) == expected


@pytest.fixture
def render():
    """Markdown with formulas -> HTML."""
    extension = loaded("mathml").MathExtension()
    return lambda text: markdown.markdown(text, extensions=[extension, "fenced_code", "tables"])


def test_formulas_become_mathml(render):
    html = render(r"Let $\lVert x \rVert^{2} \le 1$." + "\n\n$$\nE = H_b\n$$\n")
    assert html.count("<math") == 2 and 'display="block"' in html
    assert "$" not in html and "\\" not in html
    assert html.count("&#x02016;") == 2  # both bars of the norm


@pytest.mark.parametrize(
    "text", ["`$x$`", "```\n$x$\n```", "it costs $5 or $6", r"\$x$", "a $ b $ c"]
)
def test_what_is_no_formula_stays_text(render, text):
    assert "<math" not in render(text) and "$" in render(text)


def test_a_formula_in_a_table_stays_in_its_cell(render):
    html = render("| a | b |\n| --- | --- |\n| $x_b$ | $y_b$ |\n")
    assert html.count("<math") == 2 and html.count("<td>") == 2 and "<em>" not in html


@pytest.mark.parametrize(("start", "end"), [("- item", "</ul>"), ("??? note", "</details>")])
def test_a_formula_belongs_to_the_item_that_it_is_indented_under(start, end):
    extensions = [loaded("mathml").MathExtension(), "pymdownx.details"]
    html = markdown.markdown(
        f"{start}\n\n    $$x$$\n\n    text\n\n    $$y$$\n", extensions=extensions
    )
    inside, after = html.split(end)
    assert inside.count("<math") == 2 and "text" in inside and not after.strip()


def test_a_formula_that_cannot_be_read_is_refused():
    with pytest.raises(ValueError, match=r"formula '\\\\nonsense"):
        loaded("mathml").mathml(r"\nonsense{x}")


def test_the_figures_that_pages_tell_to_build_exist():
    from paper_figures.recipes import discover

    texts = [path.read_text(encoding="utf-8") for path in (ROOT / "docs").glob("*.md")]
    named = set(re.findall(r"sam-figures build ([a-z]\w*)", "\n".join(texts)))
    assert len(named) > 3 and named <= {"all", *discover()}


@pytest.mark.parametrize("name", ["getting-started.md", "run-at-scale.md"])
def test_the_examples_run_one_after_another(name, capsys):
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / name).read_text(), re.S)
    names: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, name, "exec"), names)
    assert capsys.readouterr().out
