"""The page of claims is what the committed tables say."""

from paper_figures.claims import Verdict, find, page


def test_the_page_is_computed_from_the_committed_tables(root):
    results = root / "docs" / "results"
    findings = find(results)
    assert (root / "docs" / "claims.md").read_text(encoding="utf-8") == page(findings)
    built = {folder.name for folder in results.iterdir()}
    for finding in findings:
        assert (finding.verdict is not Verdict.NOT_RUN) == (finding.claim.figure in built)
