"""The gallery of figures: every recipe, with its picture where one is committed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from pages import ROOT, plain

from paper_figures.recipes import Recipe, discover, load

__all__ = ["gallery"]

DOCS = ROOT / "docs"


def gallery() -> str:
    """The page, pictures first."""
    recipes = [load(origin) for origin in discover().values()]
    drawn = [recipe for recipe in recipes if picture(recipe).is_file()]
    others = [recipe for recipe in recipes if recipe not in drawn]
    lines = [
        "# Figures",
        "",
        "Every figure is a recipe: one command computes what is missing, writes the table as CSV "
        "and draws that table. A caption says which algorithm and which data are meant.",
    ]
    widest = max((pixels(picture(recipe)) for recipe in drawn), default=1)
    for recipe in drawn:
        lines += entry(recipe, widest)
    if others:
        lines += ["", "## Not drawn here", "", "No picture of these is committed; build them."]
        lines += ["", *(f"- `{recipe.name}`: {plain(recipe.title)}" for recipe in others)]
    return "\n".join(lines) + "\n"


def picture(recipe: Recipe) -> Path:
    """Where its picture would be committed."""
    return DOCS / "images" / f"{recipe.name}.png"


def table(recipe: Recipe) -> Path:
    """Where the table that it draws is committed with its picture."""
    return DOCS / "results" / recipe.name / f"{recipe.name}.csv"


def pixels(path: Path) -> int:
    """The width of a PNG, from its header."""
    return int.from_bytes(path.read_bytes()[16:20], "big")


def entry(recipe: Recipe, widest: int) -> Iterator[str]:
    """Title, picture at the scale of the widest one, caption, table and command."""
    share = round(100 * pixels(picture(recipe)) / widest)
    yield from ("", f"## {plain(recipe.title)} {{ #{recipe.name} }}", "")
    yield f'![{plain(recipe.title)}](images/{recipe.name}.png){{ style="width: {share}%" }}'
    yield from ("", plain(" ".join(recipe.caption.split())))
    yield from (
        "",
        f"[{table(recipe).name}]({table(recipe).relative_to(DOCS)}), the table that is drawn.",
        "",
        "```sh",
        f"sam-figures build {recipe.name} {options(recipe)}",
        "```",
    )


def options(recipe: Recipe) -> str:
    """The preset of the committed table, and its seeds where they are not the preset's."""
    manifest = DOCS / "results" / recipe.name / f"{recipe.name}.json"
    if not manifest.is_file():
        return "--preset laptop"
    built = json.loads(manifest.read_text(encoding="utf-8"))
    return recipe.options(built["preset"], built["parameters"])
