"""MkDocs' hooks: generated pages, computed tables, and links from ids to theorems."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from pathlib import Path
from re import Match
from typing import Any

import figures
import reference
import tables
import theorems
from mathml import MathExtension
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from pages import slug

import theory

#: Code outside fences; ids of theorems are always written as code.
CODE = re.compile(r"(?<![`\[])`([a-z]+(?:-[a-z0-9]+)+)`(?![`\]])")
FENCE = re.compile(r"^ *(```|~~~)")
COMPUTED = re.compile(r"<!-- computed: ([a-z-]+) -->")


def generated() -> dict[str, str]:
    """Every page that the library writes, by its place in the site."""
    reports = theorems.verdicts()
    return {
        "theorems/index.md": theorems.gallery(reports),
        **{f"theorems/{n}.md": theorems.page(theory.get(n), r) for n, r in reports.items()},
        "figures.md": figures.gallery(),
        "notation.md": tables.notation(),
        "commands.md": tables.commands(),
        "reference/index.md": reference.index(),
        **{f"reference/{slug(task)}.md": reference.page(task) for task in reference.tasks()},
    }


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Add formulas, and fill the navigation."""
    config.markdown_extensions.append(MathExtension())
    filled: dict[str, list[Any]] = {
        "theorems/...": [
            {topic: [{t.id: f"theorems/{t.id}.md"} for t in found]}
            for topic, found in theorems.by_topic().items()
        ],
        "reference/...": [{task: f"reference/{slug(task)}.md"} for task in reference.tasks()],
    }
    known = set(re.findall(r"[\w/-]+\.md", str(config.nav)))
    others = sorted(path.name for path in Path(config.docs_dir).glob("*.md"))
    filled["figures.md"] = ["figures.md", *(name for name in others if name not in known)]
    config.nav = list(_expanded(config.nav or [], filled))
    return config


def _expanded(items: list[Any], filled: dict[str, list[Any]]) -> Iterator[Any]:
    for item in items:
        if isinstance(item, dict):
            ((title, inside),) = item.items()
            yield {title: list(_expanded(inside, filled)) if isinstance(inside, list) else inside}
        else:
            yield from filled.get(item, [item])


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages."""
    for place, text in generated().items():
        files.append(File.generated(config, place, content=text))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Insert the computed tables, and link every id outside code blocks to its theorem."""
    markdown = COMPUTED.sub(lambda match: tables.TABLES[match[1]](), markdown)
    here = posixpath.dirname(page.file.src_uri)

    def linked(match: Match[str]) -> str:
        name = match[1]
        place = f"theorems/{name}.md"
        if name not in theory.load() or page.file.src_uri == place:
            return match[0]
        return f"[{match[0]}]({posixpath.relpath(place, here or '.')})"

    inside, lines = False, []
    for line in markdown.split("\n"):
        inside ^= bool(FENCE.match(line))
        lines.append(line if inside or line.startswith("#") else CODE.sub(linked, line))
    return "\n".join(lines)
