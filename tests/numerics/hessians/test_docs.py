"""The example of docs/hessians.md runs, and every name in its table exists."""

from __future__ import annotations

import re

import numerics.hessians


def test_example_runs(root, capsys):
    text = (root / "docs" / "hessians.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```", text, re.S)
    assert blocks
    for block in blocks:
        exec(compile(block, "docs/hessians.md", "exec"), {})
    # 4 + 2 numbers, "True (75,)", 2 numbers; then 2 + 3 + 2 numbers
    assert len(capsys.readouterr().out.split()) == 17


def test_documented_calls_exist(root):
    text = (root / "docs" / "hessians.md").read_text()
    calls = re.findall(r"^\| `(\w+)\(", text, re.M)
    assert len(calls) >= 7
    assert set(calls) <= set(numerics.hessians.__all__)
