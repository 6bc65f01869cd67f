"""HTML by construction: text is escaped, elements are closed, and what is markup has its type."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Sequence
from html import escape

__all__ = [
    "STAR",
    "Markup",
    "address",
    "badge",
    "folded",
    "join",
    "prose",
    "separated",
    "tag",
]

NEVER = "(?!)"
PAPER = r"arXiv (?P<number>\d{4}\.\d{5})"
#: As in f_b, ηH_b, |H|_F, x_{t+1}, λ_max, x_star or s_2^2, but not in step_size.
SCRIPT = (
    r"(?<=[^\W_]|[|)])(?<![A-Za-z]{2})(?P<mark>[_^])"
    r"(?:\{(?P<long>[^{}]+)\}|(?P<short>[A-Za-z0-9]|max|min|star)(?![A-Za-z0-9_]))"
)
STAR = "⋆"
VOID = frozenset({"img", "input", "br", "meta"})


class Markup(str):
    """A string that is HTML already."""

    __slots__ = ()


def tag(name: str, *children: str | None, **attributes: str | bool | None) -> Markup:
    """An element.

    Args:
        name: of the element.
        children: text, which is escaped, or markup, which is not; None is left out.
        attributes: `class_` is `class`, other underscores are hyphens; True stands for a bare
            attribute, and one that is None or False is left out.

    Example:
        >>> tag("p", "a < b ", tag("em", "c"), class_="x")
        '<p class="x">a &lt; b <em>c</em></p>'
    """
    shown = ""
    for key, value in attributes.items():
        if value is not None and value is not False:
            shown += " " + key.rstrip("_").replace("_", "-")
            shown += "" if value is True else f'="{escape(value)}"'
    start = f"<{name}{shown}>"
    return Markup(start if name in VOID else f"{start}{join(children)}</{name}>")


def join(children: Iterable[str | None]) -> Markup:
    """Pieces one after the other: text escaped, markup as it is."""
    pieces = (piece for piece in children if piece is not None)
    return Markup("".join(p if isinstance(p, Markup) else escape(p, quote=False) for p in pieces))


def separated(items: Sequence[Markup], separator: str = ", ") -> Markup:
    """Pieces with text between them."""
    return join([piece for item in items for piece in (separator, item)][1:])


def badge(verdict: str) -> Markup:
    """A verdict as a word in its colour."""
    return tag("span", verdict, class_=f"badge {verdict.replace(' ', '-')}")


def folded(summary: str, content: Markup) -> Markup:
    """Content that opens under its summary."""
    return tag("details", tag("summary", summary), content)


def prose(text: str, ids: Iterable[str] = ()) -> Markup:
    """Text with indices lowered, exponents raised, and links for ids and arXiv numbers."""
    known = "|".join(map(re.escape, sorted(ids, key=len, reverse=True))) or NEVER
    pattern = rf"(?<![\w-])(?:(?P<id>{known})(?![\w-])|{PAPER})|{SCRIPT}"
    pieces: list[str] = []
    at = 0
    for found in re.finditer(pattern, text):
        pieces.append(text[at : found.start()])
        at = found.end()
        if found["id"]:
            pieces.append(tag("a", tag("code", found["id"]), href=f"#{found['id']}"))
        elif found["number"]:
            link = f"https://arxiv.org/abs/{found['number']}"
            pieces.append(tag("a", found[0], href=link))
        else:
            script = found["long"] or found["short"]
            level = "sub" if found["mark"] == "_" else "sup"
            pieces.append(tag(level, STAR if script == "star" else script))
    return join([*pieces, text[at:]])


def address(data: bytes, kind: str) -> str:
    """A `data:` address that holds a file, of the given media type."""
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"
