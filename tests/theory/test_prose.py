"""What the library says in words: each sentence has its symbols, or a mark that it has none."""

import dataclasses
import re

import pytest

import theory
from theory.text import catalogue as to_catalogue
from theory.text.latex import article
from theory.text.latex import prose as latex
from theory.text.plain import explain
from theory.text.prose import AUTHOR, MARK, UNSEEN, in_words, is_checked, said, sentences, unchecked
from theory.trusted.statements import Sentence
from theory.wire import decode, encode

LIBRARY = tuple(theory.load().values())
every_theorem = pytest.mark.parametrize("theorem", LIBRARY, ids=lambda t: t.id)
#: The sentences that the kernel has not seen, by how they begin: the only ones in the library.
UNCHECKED = {
    "sam-distance-linear": ("The space may be",),
    "sam-exact-threshold-stable": ("A positive definite V",),
    "sam-exact-threshold-unstable": ("A positive definite V",),
    "sam-aligned-noise": ("The bound on |G|_F", "So bounded E|x_t|² needs"),
    "sam-coherence": ("For rank-one H_b =", "With a fixed normalisation"),
    "sam-normalized-bounded": ("The iterates stay in",),
    "sam-pl-minibatch": ("By sgd-batch-gradients this holds", "The smallest factor is"),
    "sam-pl-minibatch-best-step": ("By sgd-batch-gradients this holds", "The factor is 1"),
    "sam-pl-noise-horizon": ("So E f(x_k) ≤",),
    "sam-stability-s3-attained": ("So the bound of",),
    "sam-stability-fourth-moment": ("So it diverges geometrically",),
    "sam-stability-mean-edge": ("So a minimum in",),
    "sam-stability-s2-every-dimension": ("So stability alone bounds",),
    "sam-stability-sharpness": ("So a minimum in",),
    "sam-two-cycle-stability": ("So where H ≻",),
    "sam-normalized-converges": ("The claim: if μ|u|²", "Then no other point"),
    "sgd-batch-monotone": ("The largest stable step",),
    "sgd-batch-bounds": ("For batches of size",),
    "sgd-batch-gradients": ("The mean F_b of",),
    "sgd-pl-minibatch": ("By sgd-batch-gradients this holds",),
}


def table(theorem):
    """Each sentence of a theorem with where it is checked; the title first."""
    return ((theorem.title, theorem.title_says), *((s.text, s.said_by) for s in theorem.statement))


@every_theorem
def test_every_sentence_is_in_symbols_or_marked(theorem):
    for text, names in table(theorem):
        if not is_checked(theorem, names):
            assert not names, f"{text!r} names something that is no hypothesis and no conclusion"
            assert text != theorem.title and f"{text} {MARK}" in sentences(theorem)


@every_theorem
def test_every_hypothesis_and_conclusion_is_in_words(theorem):
    named = {name for sentence in theorem.statement for name in sentence.said_by}
    wanted = {h.name for h in theorem.hypotheses} | set(theorem.conclusion)
    assert named >= wanted, sorted(wanted - named)
    assert ("algorithm" in named) == (theorem.dynamics is not None)


@every_theorem
def test_a_sentence_is_one(theorem):
    for text, _ in table(theorem)[1:]:
        assert re.fullmatch(r"[A-Z][^.]*\.", text), text


def test_what_the_kernel_has_not_seen():
    found = {
        t.id: tuple(" ".join(s.text.split()[:4]) for s in t.statement if not s.said_by)
        for t in LIBRARY
    }
    assert {name: begins for name, begins in found.items() if begins} == UNCHECKED


def test_marks_and_the_heading_of_findings_are_printed():
    theorem = theory.get("sam-coherence")
    text, source = explain(theorem), article(theorem)
    before, after = text.split(UNSEEN)
    assert before.count(MARK) == source.count(latex(MARK)) == len(UNCHECKED[theorem.id])
    assert all(sentence in before for sentence in sentences(theorem))
    assert latex(in_words(theorem)) in source
    assert all(finding in after and finding not in before for finding in theorem.findings)


def test_an_intermediate_step_is_not_what_the_theorem_says():
    theorem = theory.get("sam-pl-linear-optimal")
    step = next(step.name for step in theorem.proof if step.name not in theorem.conclusion)
    for names in ((step,), ("no such name",), ("rate", "no such name"), ()):
        changed = dataclasses.replace(theorem, statement=(said("It always converges.", *names),))
        assert in_words(changed) == f"It always converges. {MARK}"
    kept = dataclasses.replace(theorem, statement=(said("It converges.", "rate"),))
    assert in_words(kept) == "It converges."
    assert not is_checked(theory.get("sam-two-cycle"), ("algorithm",))  # it runs none


def test_plain_text_is_said_to_be_the_authors():
    theorem = dataclasses.replace(theory.get("sam-saddle"), statement="SAM is always stable.")
    assert AUTHOR in explain(theorem) and latex(AUTHOR) in article(theorem)
    assert AUTHOR not in explain(theory.get("sam-saddle"))
    assert decode(encode(theorem)) == theorem


def test_sentences_are_plain_data():
    sentence = unchecked("Perhaps.")
    assert sentence == Sentence("Perhaps.") == decode(encode(sentence))
    assert theory.check(
        dataclasses.replace(theory.get("sam-saddle"), statement=("text",))
    ).reason.startswith("the statement: Theorem.statement")


def test_the_catalogue_says_that_findings_are_words():
    assert "what was found, in words" in to_catalogue.catalogue(LIBRARY).splitlines()[0]
