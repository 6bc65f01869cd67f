"""Bars on a terminal and in a notebook say how much time is left; elsewhere there are none."""

import io
import re
import sys

import pytest

from numerics.progress import progress
from paper_figures.runs import _progress as bar_of_runs

#: As rich writes it; dashes until a speed is known.
TIME = r"(-:--:--|\d:\d\d:\d\d)"


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def become(monkeypatch):
    """Puts a stream in place of stderr; to be called in the test, where pytest's own is set."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")

    def call(stream):
        monkeypatch.setattr(sys, "stderr", stream)
        return stream

    return call


def visible(stream):
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", stream.getvalue())


def test_time_left_inside_a_computation(become):
    terminal = become(Terminal())
    assert list(progress(range(3), "measuring")) == [0, 1, 2]
    assert re.search(rf"measuring .* {TIME}", visible(terminal))


def test_time_left_over_the_runs_of_a_figure(become):
    terminal = become(Terminal())
    with bar_of_runs("a figure", 2) as advance:
        advance()
    assert re.search(rf"a figure .* 1/2 {TIME} left {TIME}", visible(terminal))


def test_no_bar_without_a_terminal(become):
    stream = become(io.StringIO())
    assert list(progress(range(3), "measuring")) == [0, 1, 2]
    with bar_of_runs("a figure", 2) as advance:
        advance()
    assert not stream.getvalue().strip()


def test_a_notebook_shows_bars_on_stderr_alone(become, monkeypatch, capsys):
    monkeypatch.setattr("rich.console._is_jupyter", lambda: True)
    stream = become(io.StringIO())
    assert list(progress(range(3), "measuring")) == [0, 1, 2]
    with bar_of_runs("a figure", 2) as advance:
        advance()
    assert re.search(rf"measuring .* {TIME}", visible(stream))
    assert re.search(r"a figure .* 1/2", visible(stream))
    assert not capsys.readouterr().out
