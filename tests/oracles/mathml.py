"""MathML read back: what a formula on the page says as a number.

A second reading of the markup, by its own grammar: a row is a sum of products, and an element whose
text is that of a parameter's symbol is that parameter.
"""

from __future__ import annotations

from xml.etree import ElementTree

SIGNS = {"+": 1.0, "−": -1.0}
RELATIONS = ("≤", "<", "=")


def children(markup):
    """The elements of a formula: the pieces between which a browser may break, joined again."""
    root = ElementTree.fromstring(f"<root>{markup}</root>")
    return [child for math in root.iter("math") for child in math]


def sides(markup):
    """The elements left and right of the outermost relation sign."""
    found = children(markup)
    at = next(i for i, e in enumerate(found) if e.tag == "mo" and e.text in RELATIONS)
    return found[:at], found[at + 1 :]


def key(elements):
    """A symbol's identity: its markup without what only concerns its looks."""
    return "".join(
        f"<{e.tag}>{e.text or ''}{key(list(e))}</{e.tag}>" for e in elements if e.tag != "mspace"
    )


def row(elements, numbers):
    """The value of a sum of products."""
    total, sign, product = 0.0, 1.0, None
    for element in elements:
        if element.tag == "mspace":
            continue
        if element.tag == "mo":
            if product is not None:
                total += sign * product
            sign, product = SIGNS[element.text], None
        else:
            product = (1.0 if product is None else product) * value(element, numbers)
    return total + sign * product


def value(element, numbers):
    """The value of one element."""
    name = key([element])
    if name in numbers:
        return numbers[name]
    parts = list(element)
    if element.tag == "mn":
        return float(element.text)
    if element.tag == "mfrac":
        return value(parts[0], numbers) / value(parts[1], numbers)
    if element.tag == "msup":
        return value(parts[0], numbers) ** int(parts[1].text)
    assert element.tag == "mrow", f"no number: {name}"
    if parts[0].tag == "mo" and parts[0].text == "(":
        assert parts[-1].text == ")"
        return row(parts[1:-1], numbers)
    return row(parts, numbers)
