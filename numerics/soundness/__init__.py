"""Try to make the numbers wrong: random models, losses and spectra against independent oracles.

`python -m numerics.soundness` draws them from a grammar and counts what came back: right, refused
in one line, a raw error of another library, or wrong.
"""
