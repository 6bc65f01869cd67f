"""Reads a page with the standard library's parser, and insists that every element is closed."""

from __future__ import annotations

from html.parser import HTMLParser

VOID = {"meta", "link", "input", "img", "br"}


class Page(HTMLParser):
    """Elements in order, with their attributes and text; `stack` is empty for a balanced page."""

    def __init__(self, html):
        super().__init__()
        self.stack, self.elements, self.ids = [], [], []
        self.feed(html)
        self.close()
        assert self.stack == [], f"never closed: {self.stack}"

    def handle_starttag(self, tag, attrs):
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), f"<{tag}> has an attribute twice: {names}"
        self.elements.append((tag, dict(attrs), tuple(self.stack), []))
        if "id" in names:
            self.ids.append(dict(attrs)["id"])
        if tag not in VOID:
            self.stack.append(tag)

    def handle_endtag(self, tag):
        assert self.stack and self.stack.pop() == tag, f"</{tag}> at {self.getpos()}"

    def handle_data(self, data):
        if self.elements:
            self.elements[-1][3].append(data)

    def of(self, tag, **attributes):
        """The attributes of the elements of this sort."""
        wanted = {name.rstrip("_").replace("_", "-"): value for name, value in attributes.items()}
        return [
            attrs
            for name, attrs, _, _ in self.elements
            if name == tag and wanted.items() <= attrs.items()
        ]


def section(html, theorem):
    """The card of one theorem."""
    start = html.index(f'<article id="{theorem}"')
    return html[start : html.index("</article>", start)]
