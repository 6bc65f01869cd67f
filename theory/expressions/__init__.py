"""The language: scalar and vector expressions as immutable trees, and their exact lowering."""
