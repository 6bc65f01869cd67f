"""The document of measurements: read, refused, and asked for."""

import json
import subprocess

import pytest

from numerics.confrontations.verdicts import Outcome, judge
from paper_figures.report import measured as m

KNOWN = ("sam-pl-linear", "sam-edge", "sam-stability-s2-sharp")


def test_reading(document):
    found = m.read(document, KNOWN, "a test")
    assert (found.device, found.seeds) == ("cpu", 2)
    assert [v.outcome for v in found.verdicts["sam-edge"]] == ["consistent", "inconclusive"]
    assert found.verdicts["sam-edge"][0].worst.attained
    assert found.outcome("sam-edge") == "consistent"
    assert found.outcome("sam-stability-s2-sharp") == "inconclusive"
    assert found.outcome("pl-half-to-bare") == m.NOT_MEASURED


def test_a_violation_outweighs():
    point = m.Point(2.0, 1.0, 0.0, {})
    both = tuple(
        judge("a", name, "", [p]) for name, p in (("x", point), ("y", m.Point(0, 1, 0, {})))
    )
    assert [v.outcome for v in both] == [Outcome.VIOLATED, Outcome.CONSISTENT]
    assert m.Measured("", "cpu", 1, {"a": both}).outcome("a") == "violated"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d | {"verdicts": 3}, "measure again"),
        (lambda d: d["verdicts"][0].update(outcome="proved") or d, "'proved' is not a valid"),
        (lambda d: d["verdicts"][0].pop("points") and d, None),
        (lambda d: d["verdicts"][0]["worst"].pop("bound") and d, "bound"),
        (lambda d: d["verdicts"][0].update(theorem="gone") or d, "'gone', not in the library"),
        (lambda d: {"verdicts": d["verdicts"]}, "version"),
    ],
)
def test_refusing(document, change, message):
    text = json.dumps(change(json.loads(document)))
    if message is None:  # a field with a default may be left out
        assert m.read(text, KNOWN, "it").verdicts["sam-pl-linear"][0].points == 0
        return
    with pytest.raises(ValueError, match=message) as refused:
        m.read(text, KNOWN, "it")
    assert str(refused.value).startswith("it ") and "\n" not in str(refused.value)


def test_what_is_no_json_and_no_file(tmp_path):
    with pytest.raises(ValueError, match="measure again"):
        m.read("no json", KNOWN, "it")
    with pytest.raises(ValueError, match="cannot be read"):
        m.read_file(tmp_path / "none.json", KNOWN)


@pytest.mark.parametrize(("status", "fine"), [(0, True), (1, True), (2, False)])
def test_measuring_runs_the_command(monkeypatch, document, status, fine):
    asked = []

    def run(command, **_):
        asked.append(command[1:])
        return subprocess.CompletedProcess(command, status, stdout=document)

    monkeypatch.setattr(m.subprocess, "run", run)
    if fine:
        assert m.measure(KNOWN).verdicts.keys() == set(KNOWN)
    else:
        with pytest.raises(ValueError, match="status 2"):
            m.measure(KNOWN)
    assert asked == [["-m", "numerics", "check", "--json"]]
