"""The hooks parse, and each is a tool that the development environment brings."""

import re
import tomllib

import pytest
import yaml
from pre_commit.clientlib import load_config


@pytest.fixture(scope="module")
def hooks(root):
    path = root / ".pre-commit-config.yaml"
    load_config(path)  # raises where pre-commit would refuse it
    (local,) = yaml.safe_load(path.read_text())["repos"]
    assert local["repo"] == "local"
    return local["hooks"]


def test_the_tools_are_those_of_the_environment(hooks, root):
    extras = tomllib.loads((root / "pyproject.toml").read_text())["project"][
        "optional-dependencies"
    ]
    brought = {re.split(r"[<>=\[]", entry)[0] for entry in extras["dev"]} | {"python"}
    tools = [re.match(r"\.venv/bin/([\w-]+)", hook["entry"]) for hook in hooks]
    assert {tool[1] for tool in tools} <= brought


def test_they_check_what_the_lint_job_checks(hooks, root):
    """Each line of `make lint` has its hook."""
    recipe = re.search(r"^lint:.*\n((?:\t.*\n)+)", (root / "Makefile").read_text(), re.M)[1]
    entries = [hook["entry"] for hook in hooks]
    for line in recipe.splitlines():
        words = line.strip().removeprefix("$(BIN)/").split()
        wanted = " ".join(word for word in words[:2] if not word.startswith("-"))
        assert any(wanted in entry for entry in entries), line


def test_the_notebooks_are_matched(hooks, root):
    (strip,) = (hook for hook in hooks if hook["id"] == "notebooks")
    names = [path.relative_to(root).as_posix() for path in root.glob("notebooks/*.ipynb")]
    assert names and all(re.search(strip["files"], name) for name in names)
    assert (root / strip["entry"].split()[1]).is_file()
