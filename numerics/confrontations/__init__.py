"""Theorem by theorem, problem by problem: hypotheses established, claims measured."""
