"""The report: every theorem, its proof and its measurements on one page that needs no network."""
