"""The committed tables are those of the presets, and the page of claims is what they say."""

import hashlib
import importlib
import io
import json
import math
import re
from collections import defaultdict

import matplotlib
import matplotlib.image
import numpy as np
import pytest

from paper_figures.build import _draw, read_built
from paper_figures.claims import Support, find, page
from paper_figures.recipes import discover, load
from paper_figures.stale import changes
from paper_figures.tables import from_csv

FIGURES = discover()


def test_the_page_is_computed_from_the_committed_tables(root):
    results = root / "docs" / "results"
    findings = find(results)
    assert (root / "docs" / "claims.md").read_text(encoding="utf-8") == page(findings)
    built = {folder.name for folder in results.iterdir()}
    for one in findings:
        assert (one.verdict is not Support.NOT_RUN) == (one.claim.figure in built)


def finding(root, figure, part):
    """What the committed table of a figure says of the claim whose statistic has these words."""
    findings = find(root / "docs" / "results")
    (one,) = (f for f in findings if f.claim.figure == figure and part in f.claim.statistic)
    return one


#: Figure, part of the statistic's words, and what the README says of it.
REPEATED = [
    ("mnist_generalisation", "tuned", "by {mean:.2f} points"),
    ("mnist_generalisation", "tuned", "95% interval [{low:.2f}, {high:.2f}]"),
    ("best_radius", "best radius", "power {mean:.2f} [{low:.2f}, {high:.2f}]"),
    ("label_noise", "best epoch", "{mean:.1f} points [{low:.1f}, {high:.1f}]"),
    ("label_noise", "last epoch", "{mean:.1f} [{low:.1f}, {high:.1f}] at the last"),
    ("uniformity_width", "in a ", "power {mean:.2f} [{low:.2f}, {high:.2f}]"),
    ("uniformity_width", "in s_2", "power {mean:.2f} [{low:.2f}, {high:.2f}]"),
    ("minima_moments", "s_2", "s_2 at {ratio:.2f} of SGD's"),
]
#: Settings of the presets, which are no results.
SETTINGS = ("2,000 images", "(25% to 75% wrong)")


def rows_of(root, name):
    table = root / "docs" / "results" / name / f"{name}.csv"
    return from_csv(table.read_text(encoding="utf-8"))


def measured(root):
    """Every text with a number in it that the README may say, made from the tables."""
    for figure, part, said in REPEATED:
        effect = finding(root, figure, part).effect
        ends = {"mean": effect.mean, "low": effect.low, "high": effect.high}
        yield said.format(**ends, ratio=math.exp(effect.mean))
    near = [
        row
        for row in rows_of(root, "minima_radius")
        if (row["quantity"], row["algorithm"]) == ("a", "SAM")
    ]
    shares = [row["value"] / row["stability_edge"] for row in near]
    radii = [row["radius"] for row in near]
    assert radii == sorted(radii)
    reach = f"{min(shares):.0%} to {max(shares):.0%}"
    yield f"from ρ = {radii[0]} to {radii[-1]} a sharpness of {reach}"
    gains = rows_of(root, "mnist_generalisation")
    sizes = [row["parameters"] / 1e3 for row in gains]
    yield f"({min(sizes):.0f} k to {max(sizes):.0f} k parameters"
    yield f"{gains[0]['seeds']} seeds)"
    minima = rows_of(root, "minima_moments")
    (radius,) = {row["radius"] for row in minima if row["algorithm"] == "SAM"}
    yield f"for ρ = {radius}"


def test_every_number_that_the_readme_measured_is_in_the_tables(root):
    """All are said, and no other digit is left in that part of the page."""
    readme = " ".join((root / "README.md").read_text(encoding="utf-8").split())
    section = readme.partition("docs/images/mnist_generalisation.png)")[2]
    section = section.partition("[Every empirical claim of the paper]")[0]
    for said in [*measured(root), *SETTINGS]:
        assert said in section
        section = section.replace(said, "")
    assert not re.search(r"(?<!s_)\d", section), section


def test_every_number_on_where_trainings_end_is_in_the_table(root):
    """All are said, and no other digit is left in that paragraph."""
    by_axis = defaultdict(dict)
    for row in rows_of(root, "mean_edge"):
        by_axis[row["along"]][row["value"]] = row
    radii, batches, widths = (by_axis[name] for name in ("radius", "batch_size", "hidden"))
    mean = [row["mean_share"] for row in radii.values()]
    alone = [row["sharpness_share"] for row in radii.values()]
    assert list(radii) == sorted(radii) and alone == sorted(alone, reverse=True)
    assert all(row["mean_share"] >= row["sharpness_share"] * (1 - 1e-12) for row in radii.values())
    (few,) = [width for width, row in widths.items() if row["mean_share"] is None]
    said = [
        f"({radii[0.0]['seeds_tried']} seeds)",
        f"In batches of 12 at {min(mean):.0%} to {max(mean):.0%} of 2/η",
        f"radius from {min(radii):g} to {max(radii):g}",
        f"where a(1 + ρa), which is never more, falls from {alone[0]:.0%} to {alone[-1]:.0%}",
        f"In batches of {min(batches):g} they end at {batches[min(batches)]['mean_share']:.0%}",
        f"With the full batch they end at {batches[60]['mean_share']:.1%}",
        f"With {few:g} hidden units {widths[few]['seeds']} of {widths[few]['seeds_tried']}",
    ]
    assert batches[12]["mean_share"] == radii[0.04]["mean_share"]  # the batch of the other axes
    text = " ".join((root / "docs" / "sharp-theory.md").read_text(encoding="utf-8").split())
    text = text.partition("Perceptrons trained on MNIST end")[2].partition("## Rates")[0]
    for words in said:
        assert words in text, words
        text = text.replace(words, "")
    assert not re.search(r"\d", text.replace("at loss 0", "")), text


@pytest.mark.parametrize(
    ("figure", "part", "verdict"),
    [
        ("mnist_generalisation", "tuned", Support.SUPPORTED),
        ("mnist_generalisation", "fixed", Support.INCONCLUSIVE),
        ("teacher_student", "tuned", Support.NOT_SUPPORTED),
        ("best_radius", "best radius", Support.SUPPORTED),
        ("label_noise", "best epoch", Support.SUPPORTED),
        ("label_noise", "last epoch", Support.SUPPORTED),
        ("uniformity_width", "in a ", Support.SUPPORTED),
        ("uniformity_width", "in s_2", Support.NOT_SUPPORTED),
        ("minima_moments", "s_2", Support.SUPPORTED),
    ],
)
def test_the_verdicts_are_those_that_the_readme_tells(root, figure, part, verdict):
    assert finding(root, figure, part).verdict is verdict


@pytest.fixture
def gallery(root, monkeypatch):
    monkeypatch.syspath_prepend(str(root / "docs" / "generate"))
    return importlib.import_module("figures")


@pytest.mark.parametrize("name", FIGURES)
def test_a_committed_table_is_what_the_command_in_the_gallery_computes(root, gallery, name):
    recipe, folder = load(FIGURES[name]), root / "docs" / "results" / name
    asked = gallery.options(recipe).split()
    if name == "cifar_resnet":  # its data does not ship with the project
        assert asked == ["--preset", "laptop"] and not folder.exists()
        return
    _, manifest = read_built(recipe, folder)  # raises if the table is not the manifest's
    match asked:
        case ["--preset", preset]:
            seeds = None
        case ["--preset", preset, "--seed", "$(seq", first, last]:
            seeds = range(int(first), int(last.removesuffix(")")) + 1)
        case ["--preset", preset, "--seed", *given]:
            seeds = [int(seed) for seed in given]
    wanted = json.loads(json.dumps(recipe.parameters(preset, seeds)))  # tuples become lists
    assert manifest["parameters"] == wanted
    assert manifest["caption"] == recipe.caption
    picture = (root / "docs" / "images" / f"{name}.png").read_bytes()
    assert manifest["files"][f"{name}.png"] == hashlib.sha256(picture).hexdigest()


def test_other_seeds_than_the_presets_are_in_the_command(gallery, monkeypatch, tmp_path):
    recipe = load(FIGURES["minima_moments"])
    monkeypatch.setattr(gallery, "DOCS", tmp_path)
    folder = tmp_path / "results" / recipe.name
    folder.mkdir(parents=True)
    for seeds, asked in (
        ([0, 1, 2, 3, 4], "--preset laptop"),
        ([0, 1, 2], "--preset laptop --seed $(seq 0 2)"),
        ([0, 5], "--preset laptop --seed 0 5"),
    ):
        built = {"preset": "laptop", "parameters": {"seeds": seeds}}
        (folder / f"{recipe.name}.json").write_text(json.dumps(built))
        assert gallery.options(recipe) == asked


COMMITTED = [name for name in FIGURES if name != "cifar_resnet"]


@pytest.mark.parametrize("name", COMMITTED)
def test_no_committed_table_is_stale(root, name):
    """Its code and statements are the present ones, or were verified to give the same numbers."""
    recipe = load(FIGURES[name])
    _, manifest = read_built(recipe, root / "docs" / "results" / name)
    assert changes(recipe, manifest) == []


@pytest.mark.slow
@pytest.mark.parametrize("name", COMMITTED)
def test_a_committed_picture_is_what_its_table_draws(root, name):
    recipe = load(FIGURES[name])
    text, manifest = read_built(recipe, root / "docs" / "results" / name)
    if manifest["drawn_with"]["matplotlib"] != matplotlib.__version__:
        pytest.skip("drawn with another matplotlib")
    committed = matplotlib.image.imread(root / "docs" / "images" / f"{name}.png")
    drawn = matplotlib.image.imread(io.BytesIO(_draw(recipe, text)["png"]), format="png")
    assert drawn.shape == committed.shape
    # The rasteriser rounds positions: here and there a pixel at the edge of a line.
    assert np.mean(np.any(drawn != committed, axis=-1)) < 1e-3
