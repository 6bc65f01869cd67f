"""LaTeX between dollar signs as MathML, which browsers typeset by themselves: no script, no font.

`$...$` stands in a line and `$$...$$` is a block of its own, as on GitHub.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as etree
from re import Match
from typing import Any

from latex2mathml.converter import convert
from markdown import Extension, Markdown
from markdown.blockprocessors import BlockProcessor
from markdown.inlinepatterns import InlineProcessor

__all__ = ["MathExtension", "mathml"]

INLINE = r"(?<![\\$])\$(?![\s$])((?:[^$\\]|\\.)+?)(?<!\s)\$(?![\d$])"
#: Indented less than a block inside a list item or a folded note, which takes its content first.
BLOCK = re.compile(r"(?:^|\n) {0,3}\$\$(.+?)\$\$ *(?:\n|$)", re.DOTALL)
#: After the code spans (190), before the backslash escapes (180): `\,` is a space here.
PRIORITY = 185
#: Delimiters that always come in pairs here, in the form that the converter makes a fence of.
FENCES = {
    r"\lVert": r"\left\Vert",
    r"\rVert": r"\right\Vert",
    r"\langle": r"\left\langle",
    r"\rangle": r"\right\rangle",
}
#: Relations that the converter takes for letters, and would set without space around them.
RELATIONS = re.compile("<mi>(&#x0(?:2AB0|2AAF|21A6|2286);)</mi>")


def mathml(latex: str, display: str = "inline") -> str:
    r"""A formula as a `<math>` element.

    Args:
        latex: the formula, without dollar signs.
        display: `inline` or `block`.

    Raises:
        ValueError: if the converter cannot read the formula.
    """
    paired = re.sub(
        r"(?<!\\left)(?<!\\right)\\([lr]Vert|[lr]angle)\b", lambda m: FENCES[m[0]], latex
    )
    try:
        found = convert(paired, display=display)
    except Exception as problem:  # whatever it raises, the formula is what has to be mended
        raise ValueError(f"formula {latex!r} cannot be read ({problem}): mend it") from problem
    if "\\" in re.sub("<[^>]*>", "", found):
        raise ValueError(f"formula {latex!r} has a command that the converter does not know")
    return RELATIONS.sub(r"<mo>\1</mo>", found)


class _Inline(InlineProcessor):
    def handleMatch(self, m: Match[str], data: str) -> tuple[Any, int, int]:
        """A formula in a line."""
        return self.md.htmlStash.store(mathml(m[1])), m.start(0), m.end(0)


class _Block(BlockProcessor):
    def test(self, parent: etree.Element, block: str) -> bool:
        """Whether some lines of a block are a formula."""
        return BLOCK.search(block) is not None

    def run(self, parent: etree.Element, blocks: list[str]) -> None:
        """A displayed formula, in a box that scrolls where it is too wide; text around it stays."""
        block = blocks.pop(0)
        found = BLOCK.search(block)
        assert found is not None  # by `test`
        self.parser.parseBlocks(parent, [block[: found.start()]])
        box = etree.SubElement(parent, "div", {"class": "math", "tabindex": "0"})
        box.text = self.parser.md.htmlStash.store(mathml(found[1].strip(), "block"))
        if found.end() < len(block):
            blocks.insert(0, block[found.end() :])


class MathExtension(Extension):
    """Adds both forms to a Markdown instance."""

    def extendMarkdown(self, md: Markdown) -> None:
        """Register the processors."""
        md.inlinePatterns.register(_Inline(INLINE, md), "mathml", PRIORITY)
        md.parser.blockprocessors.register(_Block(md.parser), "mathml", PRIORITY)
