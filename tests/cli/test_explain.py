"""`explain` shows the kernel's verdict, and calls no proof what the kernel has not accepted."""

import json
import re
from dataclasses import replace

import pytest
from small import P_POSITIVE, Q_NONNEGATIVE, file_with, make, p, q, small

import theory
from theory.__main__ import main
from theory.opinions import Opinion, examine
from theory.proving.building import times
from theory.text.latex import article, typeset
from theory.text.plain import explain, explained
from theory.trusted.certificates import Fact
from theory.trusted.statements import Condition, Status, Step
from theory.wire import decode

GOOD = small(p * q >= 0, times(Fact("p > 0"), Fact("q >= 0")), P_POSITIVE, Q_NONNEGATIVE)
WRONG = Step("wrong", p >= 1, Fact("p > 0"), "")
HIGH, LOW = Condition("high", p >= 5), Condition("low", p <= 4)
#: What is no proof, and the reason that must be given.
UNPROVED = {
    "wrong certificate": (small(p >= 1, Fact("p > 0"), P_POSITIVE), "is not the claim"),
    "no such fact": (small(p >= 0, Fact("gone"), P_POSITIVE), "there is no fact named 'gone'"),
    "no witness": (make(p >= 5, Fact("high"), HIGH, LOW), "the witness: no exact instance"),
    "no conclusion": (replace(GOOD, conclusion=()), "the conclusion: it names no step"),
    "refutes nothing": (replace(GOOD, refutation=GOOD.witness), "the refutation: "),
    "divisor": (replace(GOOD, divisors=(Fact("q >= 0"),)), "a divisor is only known"),
    "first of two": (replace(GOOD, proof=(WRONG, *GOOD.proof)), "step 'wrong'"),
    "in words": (
        replace(
            small(p >= 1, Fact("p > 0"), P_POSITIVE),
            title=r"Proved. \qed \begin{proof} $1 < 0$ \end{proof}",
            statement=r"verdict proved} \subsection*{Proof} \qed",
        ),
        "is not the claim",
    ),
}


def commands(latex):
    """The commands and environments of a LaTeX document."""
    body = latex.partition(r"\begin{document}")[2].replace(r"\textbackslash{}", "")
    return set(re.findall(r"\\(?:begin|subsection\*?)\{[^}]*\}|\\[a-z]+", body))


@pytest.mark.parametrize("name", UNPROVED)
def test_what_is_not_proved_is_not_shown_as_a_proof(name):
    theorem, reason = UNPROVED[name]
    assert theory.check(theorem).status is Status.UNDECIDED
    text, latex = explain(theorem), article(theorem)
    verdict = re.search(r"^  verdict   (.*)$", text, re.M)[1]
    assert verdict.startswith("undecided: ") and reason in verdict
    assert not re.search(r"^Proof|Claimed, and refuted", text, re.M)
    said = commands(latex)
    assert r"\qed" not in said and r"\begin{proof}" not in said
    assert not {r"\subsection{Proof}", r"\subsection*{Proof}"} & said
    assert "undecided: " in latex and "Claimed" in latex
    # dollars are the printer's own, in pairs, and braces are balanced
    assert re.sub(r"\\[${}]", "", latex).count("$") % 2 == 0
    bare = re.sub(r"\\[{}]", "", latex)
    assert bare.count("{") == bare.count("}")


def test_the_step_that_fails_is_marked_and_those_after_it():
    steps = (*GOOD.proof, WRONG, Step("later", p >= 0, Fact("p > 0"), ""))
    lines = explain(replace(GOOD, proof=steps)).splitlines()
    marks = {
        line.split(":")[0].strip(" *"): "\n".join(lines[i : i + 3])
        for i, line in enumerate(lines)
        if re.match(r" [ *] \w+: ", line)
    }
    assert "NOT ACCEPTED" not in marks["claim"].rpartition("wrong")[0]
    assert "NOT ACCEPTED: the certificate is not the claim" in marks["wrong"]
    assert "NOT ACCEPTED: not replayed" in marks["later"]


def test_a_proof_is_one_and_says_so():
    text, latex = explain(GOOD), article(GOOD)
    assert "  verdict   proved: the kernel replayed every step" in text
    assert "Proof (steps marked * are the theorem)" in text and "NOT ACCEPTED" not in text
    assert {r"\qed", r"\subsection*{Proof}"} <= commands(latex)


def test_no_verdict_but_the_kernels_makes_a_proof():
    """Whoever holds a verdict holds the kernel's report in it; one that disagrees is said."""
    wrong = examine(UNPROVED["wrong certificate"][0])
    for claimed in (
        replace(wrong, status=Status.PROVED),
        replace(wrong, opinions={"kernel": Opinion("proved")}),
        replace(examine(GOOD), status=Status.ERROR, opinions={"z3": Opinion("refuted", "p = 1")}),
    ):
        assert "Claimed, and not proved" in explained(claimed)
        assert r"\qed" not in commands(typeset(claimed))
    assert "error: z3 says refuted: p = 1" in explained(claimed)


@pytest.mark.parametrize("form", ["", "--latex", "--coq", "--json"])
def test_exit_status_and_verdict_on_the_command_line(form, tmp_path, capsys):
    theorem = replace(UNPROVED["no witness"][0], id="mine")
    assert main(["explain", file_with(tmp_path, theorem), *form.split()]) == 1
    out = capsys.readouterr().out
    assert "the witness: no exact instance" in out
    if form == "--json":
        (entry,) = json.loads(out)["theorems"]
        assert entry["status"] == "undecided" and entry["expected"] == "proved"
        assert entry["steps"] == {"claim": True} and entry["file"].endswith("mine.py")
        assert decode(entry["theorem"]).id == "mine"
    if form == "--coq":
        assert out.startswith("(* NOT PROVED: undecided: the witness: ")


@pytest.mark.parametrize("form", ["", "--latex", "--json"])
def test_one_document_shows_every_theorem_of_a_file(form, tmp_path, capsys):
    wrong = replace(UNPROVED["wrong certificate"][0], id="second")
    file = file_with(
        tmp_path, replace(GOOD, id="first", title="first"), replace(wrong, title="second")
    )
    assert main(["explain", file, *form.split()]) == 1
    out = capsys.readouterr().out
    assert "first" in out and "second" in out and "undecided" in out
    assert out.count(r"\end{document}") == (form == "--latex")
    if form == "--json":
        assert [t["status"] for t in json.loads(out)["theorems"]] == ["proved", "undecided"]


def test_a_coq_file_is_of_one_theorem(tmp_path, capsys):
    file = file_with(tmp_path, replace(GOOD, id="first"), replace(GOOD, id="second"))
    assert main(["explain", file, "--coq"]) == 2
    err = capsys.readouterr().err
    assert "mine.py holds 2 theorems, and a Coq file has one" in err and err.count("\n") == 1


def test_what_its_file_records_as_undecided_is_still_no_proof(tmp_path, capsys):
    """`check` is content, since nothing differs; `explain` has no proof to show."""
    wrong = replace(UNPROVED["wrong certificate"][0], id="mine", expected=Status.UNDECIDED)
    file = file_with(tmp_path, wrong)
    assert main(["check", file]) == 0
    assert main(["explain", file]) == 1
    assert "Claimed, and not proved" in capsys.readouterr().out


def test_what_is_proved_and_recorded_as_open_differs(tmp_path, capsys):
    file = file_with(tmp_path, replace(GOOD, id="mine", expected=Status.UNDECIDED))
    assert main(["explain", file]) == 1
    assert "(its file records undecided)" in capsys.readouterr().out


def test_a_users_theorem_is_shown_with_its_file(tmp_path, capsys):
    file = file_with(tmp_path, replace(GOOD, id="mine"))
    assert main(["check", file, "pl-half-to-bare", "--json"]) == 0
    mine, library = json.loads(capsys.readouterr().out)["theorems"]
    assert mine["file"] == file and library["file"] is None
    assert main(["check", file]) == 0
    assert "mine.py" in "".join(capsys.readouterr().out.split())
    for form in ((), ("--latex",), ("--coq",)):
        assert main(["explain", file, *form]) == 0
        assert "mine.py" in capsys.readouterr().out
