"""Training of one network or of many at once, each as if alone."""
