"""Code is followed name by name: what a figure reaches changes its version, and nothing else."""

import ast
import importlib
import pkgutil
import sys
import textwrap
from pathlib import Path

import pytest

from paper_figures.dependencies import PACKAGES, Code, reached
from paper_figures.provenance import code_version

ROOT = Path(__file__).parents[2]

FIGURE = """
import math
import kit
from kit import helpers, shapes as forms
from kit.deep import *
from kit.helpers import scaled as stretch
from kit import reexported

LIMIT = 3
OTHER = 4
TABLE = {"a": helpers.first}

def compute(run):
    from kit import late
    first = TABLE["a"](run), stretch(run), forms.Square(run).area()
    return first, starred(run), late.act(), reexported(run), kit.at_last()

def draw(rows):
    return OTHER, helpers.drawn(rows)
"""
KIT = {
    "__init__": """
from kit.deep import hidden as reexported
def __getattr__(name):
    if name != "at_last":
        raise AttributeError(name)
    from kit.lazy import at_last
    return at_last
""",
    "lazy": "def at_last(): return 1\ndef never(): return 2\n",
    "helpers": """
import functools
FACTOR = 2
def first(x, by=FACTOR): return x * by
@functools.cache
def scaled(x): return inner(x)
def inner(x): return x
def drawn(rows): return rows
""",
    "shapes": """
class Shape:
    def area(self): return self.side() ** 2
class Square(Shape):
    def __init__(self, x): self.x = x
    def side(self): return self.x
class Circle(Shape):
    def side(self): return 3
""",
    "deep": """
def starred(x: "int") -> int:
    '''Docstring.'''
    return x
def hidden(x): return x + SHIFT
SHIFT = 1
UNUSED = 2
""",
    "late": """
import kit.registry
def act(): return kit.registry.ENTRIES
def asleep(): return 0
""",
    "registry": """
ENTRIES = {}
def register(f):
    ENTRIES[f.__name__] = f
    return f
@register
def entry(): return 1
def unregistered(): return 2
""",
}


@pytest.fixture
def kit(tmp_path, monkeypatch):
    """Writes the figure and its package with texts replaced; gives the version of `compute`."""
    monkeypatch.syspath_prepend(str(tmp_path))
    from paper_figures import dependencies

    def write(old="", new="", more=FIGURE):
        dependencies._top.cache_clear()
        folder = tmp_path / "kit"
        folder.mkdir(exist_ok=True)
        found = 0
        for name, text in KIT.items():
            found += old in text
            (folder / f"{name}.py").write_text(text.replace(old, new) if old else text)
        path = tmp_path / "kit_figure.py"
        path.write_text(more.replace(old, new) if old else more)
        assert found + (old in more)
        for name in [name for name in sys.modules if name.partition(".")[0].startswith("kit")]:
            del sys.modules[name]
        importlib.invalidate_caches()
        return code_version(importlib.import_module("kit_figure").compute)

    yield write
    for name in [name for name in sys.modules if name.partition(".")[0].startswith("kit")]:
        del sys.modules[name]
    dependencies._top.cache_clear()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"a": helpers.first', '"b": helpers.first, "a": abs'),  # a constant of the figure
        ("FACTOR = 2", "FACTOR = 5"),  # a default argument, through `module.name`
        ("def inner(x): return x", "def inner(x): return -x"),  # behind a decorator and an alias
        ("self.side() ** 2", "self.side() ** 3"),  # a base class
        ("def side(self): return self.x", "def side(self): return -self.x"),  # a method
        ("    return x\n", "    return x + 1\n"),  # from x import *
        ("def at_last(): return 1", "def at_last(): return 3"),  # behind `__getattr__`
        ("SHIFT = 1", "SHIFT = 7"),  # what a re-exported function uses
        ("return kit.registry.ENTRIES", "return dict(kit.registry.ENTRIES)"),  # a late import
        ("def entry(): return 1", "def entry(): return 8"),  # registered by its decorator
        ("ENTRIES[f.__name__] = f", "ENTRIES[f.__name__] = 0"),
        ("first = TABLE", "first = 1, TABLE"),
        ("import helpers, shapes as forms", "import helpers, deep as forms"),  # another module
    ],
)
def test_the_version_follows_what_compute_reaches(kit, old, new):
    assert kit() != kit(old, new)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("OTHER = 4", "OTHER = 5"),
        ("LIMIT = 3", "LIMIT = 5"),
        ("def drawn(rows): return rows", "def drawn(rows): return None"),
        ("def side(self): return 3", "def side(self): return 4"),  # a class nobody uses
        ("UNUSED = 2", "UNUSED = 3"),
        ("def never(): return 2", "def never(): return 3"),
        ("def asleep(): return 0", "def asleep(): return 1"),
        ("def unregistered(): return 2", "def unregistered(): return 3"),
        ("'''Docstring.'''", "'''Another.'''"),
        ('x: "int"', "x: float"),
        ("SHIFT = 1", "SHIFT  =  1  # the same"),
    ],
)
def test_nothing_else_counts(kit, old, new):
    assert kit() == kit(old, new)


@pytest.mark.parametrize(
    "text",
    [
        "def compute(run): return getattr(helpers, run.name)",
        "def compute(run): return vars(helpers)",
        "def compute(run): return helpers",
        "ALL = [helpers]\ndef compute(run): return ALL[0].drawn(run)",
    ],
)
def test_a_module_that_is_passed_around_counts_as_a_whole(kit, text):
    figure = f"from kit import helpers\n{text}\n"
    changed = ("def drawn(rows): return rows", "def drawn(rows): return None")
    assert kit(more=figure) != kit(*changed, more=figure)


@pytest.mark.parametrize(
    "text",
    [
        "import importlib\ndef compute(run): return importlib.import_module(run.name)",
        "def compute(run): return eval(run.name)",
        "def compute(run): return __import__(run.name)",
        "import sys\ndef compute(run): return sys.modules[run.name]",
        "def compute(run): return Base.__subclasses__()\nclass Base: pass",
        "def compute(run): return globals()[run.name]",
        "import importlib.util\n"
        "def compute(run): return importlib.util.spec_from_file_location(run.name, run.path)",
    ],
)
def test_computed_names_are_refused_in_one_line(kit, text):
    with pytest.raises(ValueError, match=r"^[^\n]*under a computed name[^\n]*import it by name$"):
        kit(more=text)


def test_a_module_imported_by_a_literal_name_is_followed(kit):
    figure = (
        "import importlib\ndef compute(run): return importlib.import_module('kit.late').act()\n"
    )
    assert kit(more=figure) != kit("def asleep(): return 0", "def asleep(): return 1", more=figure)


FACE = """
import importlib
from typing import TYPE_CHECKING
if TYPE_CHECKING:
    from kit.helpers import first
    from kit.late import act as awake
HOMES = {"first": "kit.helpers", "awake": "kit.late"}
def __getattr__(name):
    if name in HOMES:
        return getattr(importlib.import_module(HOMES[name]), name)
    raise AttributeError(name)
"""


@pytest.mark.parametrize(
    ("old", "new", "follows"),
    [
        ("FACTOR = 2", "FACTOR = 3", True),
        ("return kit.registry.ENTRIES", "return dict(kit.registry.ENTRIES)", False),
        ("def drawn(rows): return rows", "def drawn(rows): return None", False),
    ],
)
@pytest.mark.parametrize(
    "text",
    [
        "import kit.face\ndef compute(run): return kit.face.first(run)",
        "from kit.face import first\ndef compute(run): return first(run)",
        "def compute(run):\n    from kit.face import first\n    return first(run)",
    ],
)
def test_what_a_lazy_face_hands_out_is_followed_name_by_name(
    kit, monkeypatch, text, old, new, follows
):
    """Its imports for type checkers say where each name is at home."""
    monkeypatch.setitem(KIT, "face", FACE)
    assert (kit(more=text) != kit(old, new, more=text)) == follows


def test_a_lazy_face_that_is_passed_around_is_refused(kit, monkeypatch):
    monkeypatch.setitem(KIT, "face", FACE)
    figure = "from kit import face\ndef compute(run): return getattr(face, run.name)\n"
    with pytest.raises(ValueError, match=r"kit\.face\.__getattr__ .* import it by name"):
        kit(more=figure)


def test_lazy_faces_declare_whence_everything_comes():
    """So that keys may trust the declaration."""
    code = Code()
    packages = [importlib.import_module(name) for name in PACKAGES]
    names = [
        module.name
        for package in packages
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
        if not module.name.endswith("__main__")
    ]
    for name in [*PACKAGES, *names]:
        face = code.module(name)
        if face is None or "__getattr__" not in face.statements:
            continue
        module = importlib.import_module(name)
        assert set(module.__all__) == face.lazy.keys() | face.statements.keys() & {*module.__all__}
        for given, statement in face.lazy.items():
            (alias,) = (a for a in statement.names if (a.asname or a.name) == given)
            home = importlib.import_module(face.base(statement))
            assert getattr(module, given) is getattr(home, alias.name)


def test_asking_whether_a_module_is_loaded_is_no_look_up(kit):
    figure = "import sys\ndef compute(run): return 'numpy' in sys.modules, helper()\n"
    figure += "def helper(): return 1\n"
    assert kit(more=figure) != kit("return 1", "return 2", more=figure)


def test_cached_functions_must_not_read_theorems(kit):
    figure = (
        "import functools, theory\n@functools.cache\ndef known(): return theory.get('sam-edge')\n"
        "def compute(run): return known()\n"
    )
    with pytest.raises(ValueError, match=r"kit_figure.known keeps what a theorem says"):
        kit(more=figure)


def test_installed_packages_are_not_followed():
    from paper_figures.figures import sharper_bounds

    modules = {module for module, _ in reached(sharper_bounds.compute)}
    assert {module.partition(".")[0] for module in modules} == {"theory", "paper_figures"}
    assert not [module for module in modules if module.startswith("theory.library")]


@pytest.mark.parametrize(
    ("file", "old", "new", "follows"),
    [
        ("trusted/trees.py", "node == old", "node != old", True),
        ("trusted/terms.py", "return Apply(self, vector)", "return vector", True),
        ("trusted/notation.py", 'Operator("H", symmetric=True)', 'Operator("H")', True),
        ("trusted/statements.py", "sampled=self.algorithm.stochastic", "sampled=True", True),
        ("trusted/algorithms.py", "if not self.normalized", "if self.normalized", True),
        ("trusted/notation.py", 'Param("contact"), Param("peak")', 'Param("p"), Param("q")', False),
        ("proving/assumptions.py", "constant / 2", "constant", False),
        ("library/sam_edge.py", "THEOREMS = (", "THEOREMS = (*OTHERS, ", False),
        ("language.py", '    "convex",\n', "", False),
    ],
)
def test_a_star_is_followed_to_where_the_language_is_defined(file, old, new, follows):
    from theory.library._stability import stepped

    def edited(path):
        source = path.read_text("utf-8")
        if path != ROOT / "theory" / file:
            return source
        assert old in source
        return source.replace(old, new)

    code = Code(edited)
    assert code.module(f"theory.{file[:-3].replace('/', '.')}")
    assert (reached(stepped, code) != reached(stepped)) is follows


def test_the_digest_does_not_depend_on_layout():
    from paper_figures.syntax import bare, digest

    texts = ("def f(a, *, b=1):\n  return f'{a!r:>{b}}' if a else [*a]", "")
    tree = ast.parse(texts[0])
    again = ast.parse(ast.unparse(tree))
    assert digest(bare(tree.body[0])) == digest(bare(again.body[0]))
    assert Code().module("numpy") is None and Code().module("json") is None


def test_names_of_the_face_are_followed_to_their_rooms(tmp_path, monkeypatch):
    figure = """
    from {home} import moments
    def compute(run): return moments(run)
    """
    for name, home in {"by_face": "numerics", "by_room": "numerics.hessians"}.items():
        text = textwrap.dedent(figure.format(home=home))
        (tmp_path / f"{name}.py").write_text(text, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    own = [reached(importlib.import_module(name).compute) for name in ("by_face", "by_room")]
    found, expected = (
        {part for part in parts if part[0].startswith(("numerics.", "theory"))} for parts in own
    )
    assert ("numerics.hessians.moments", "moments") in found
    assert found == expected
