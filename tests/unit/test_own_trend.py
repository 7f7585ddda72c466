"""A site's own rates by year: counted from the findings, and in its private page alone."""

import polars as pl
import pytest
import report_fixtures as fixtures

from audit import worklist
from audit.own_trend import own_trends


def test_each_cell_counts_the_judged_findings_of_its_year():
    found = fixtures.findings(200)
    trends = own_trends(fixtures.database(found), fixtures.CATALOGUE)
    assert set(trends) == set(fixtures.SITES)
    for site_id, trend in trends.items():
        assert trend.years == sorted(trend.years)
        for rule in trend.rules:
            for year, cell in zip(trend.years, rule.cells, strict=True):
                own = found.filter(
                    pl.col("site_id") == site_id,
                    pl.col("rule_id") == fixtures.CATALOGUE.numbers[rule.card.number],
                    pl.col("decision_date").dt.year() == int(year),
                )
                met, unmet = (
                    own.filter(pl.col("verdict") == verdict).height
                    for verdict in ("conformant", "non_conformant")
                )
                assert cell == ((met, met + unmet) if met + unmet else None)


def test_it_stands_in_the_hospital_s_private_page(tmp_path):
    found = fixtures.findings(60)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(worklist, "timeline", fixtures.timeline)
        con = fixtures.database(found)
        worklist.write_worklists(con, fixtures.CATALOGUE, tmp_path, fixtures.CUTOFF)
    text = (tmp_path / "worklist" / "S1.html").read_text("utf-8")
    assert text.count("Own rates by year") >= 1
    assert (tmp_path / "worklist" / "S1.html").stat().st_mode & 0o077 == 0
