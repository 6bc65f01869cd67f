"""How statements, proofs and verdicts are written out for people."""
