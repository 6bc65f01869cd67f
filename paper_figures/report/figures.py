"""Figures and the theorems that the pages of the documentation show them with."""

from __future__ import annotations

import io
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from paper_figures.recipes import discover, load
from theory.text.markup import address

__all__ = ["Figure", "related"]

IMAGE = re.compile(r"!\[[^\]]*\]\(([^)\s]+/)?(?P<name>\w+)\.png\)")
WIDTH, COLOURS = 1400, 128
CODE = re.compile(r"^```.*?^```", re.M | re.S)


@dataclass(frozen=True)
class Figure:
    """A figure as it stands in the documentation.

    Attributes:
        name: of its recipe.
        title: one line.
        caption: what it shows.
        source: the image as a `data:` address.
        size: width and height at which it is shown, in CSS pixels.
        theorems: the ids that stand in the same section.
    """

    name: str
    title: str
    caption: str
    source: str
    size: tuple[int, int]
    theorems: tuple[str, ...]


def related(docs: Path, known: Collection[str]) -> tuple[Figure, ...]:
    """The figures of this package that a section of a page shows beside theorems.

    Args:
        docs: the folder of the pages; without it there are no figures.
        known: the ids of the library.
    """
    recipes = discover()
    found: dict[str, tuple[Path, list[str]]] = {}
    for page, section in _sections(docs):
        ids = [name for name in re.findall(r"`([\w-]+)`", section) if name in known]
        for shown in IMAGE.finditer(section):
            path = page.parent / (shown[1] or "") / f"{shown['name']}.png"
            if ids and shown["name"] in recipes and path.is_file():
                found.setdefault(shown["name"], (path, []))[1].extend(ids)
    figures = []
    for name, (path, ids) in sorted(found.items()):
        recipe = load(recipes[name])
        image, size = _small(path)
        unique = tuple(dict.fromkeys(ids))
        figures.append(
            Figure(name, recipe.title, recipe.caption, address(image, "image/png"), size, unique)
        )
    return tuple(figures)


def _small(path: Path) -> tuple[bytes, tuple[int, int]]:
    """The image at most `WIDTH` pixels wide and in `COLOURS` colours, and the size to show it at.

    Plots lose nothing by it; three dots for two CSS pixels keep text sharp.
    """
    with Image.open(path) as image:
        drawn = image.convert("RGB")
    if drawn.width > WIDTH:
        size = (WIDTH, round(drawn.height * WIDTH / drawn.width))
        drawn = drawn.resize(size, Image.Resampling.LANCZOS)
    data = io.BytesIO()
    drawn.quantize(COLOURS, dither=Image.Dither.NONE).save(data, "PNG", optimize=True)
    return data.getvalue(), (drawn.width * 2 // 3, drawn.height * 2 // 3)


def _sections(docs: Path) -> Iterator[tuple[Path, str]]:
    """Every section of every page, with the page."""
    for page in sorted(docs.rglob("*.md")):
        prose = CODE.sub("", page.read_text(encoding="utf-8"))
        for section in re.split(r"^#+ ", prose, flags=re.M):
            yield page, section
