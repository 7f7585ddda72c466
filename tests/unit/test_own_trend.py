"""A site's own rates by period: counted from the findings, and in its private page alone."""

import re
from collections import Counter

import pytest
import report_fixtures as fixtures
from report_registry import CATALOGUE, SETTINGS

from audit import worklist
from audit.own_trend import own_trends
from audit.periods import PERIODS


@pytest.mark.parametrize("kind", PERIODS)
def test_each_cell_counts_the_judged_findings_of_its_period(kind):
    found = fixtures.findings(200)
    cells = found.select(
        "site_id", "rule_id", fixtures.period_name(kind).alias("period"), "verdict"
    )
    counted = Counter(cells.iter_rows())
    trends = own_trends(fixtures.database(found), CATALOGUE, kind)
    assert set(trends) == set(fixtures.SITES)
    for site_id, trend in trends.items():
        assert trend.periods == sorted(trend.periods)
        for rule in trend.rules:
            for period, cell in zip(trend.periods, rule.cells, strict=True):
                own = (site_id, CATALOGUE.numbers[rule.card.number], period)
                met, unmet = (counted[*own, v] for v in ("conformant", "non_conformant"))
                assert cell == ((met, met + unmet) if met + unmet else None)


@pytest.mark.parametrize(("kind", "tables"), [("year", 1), ("quarter", 2)])
def test_it_stands_in_the_hospital_s_private_page(tmp_path, kind, tables):
    found = fixtures.findings(60)
    settings = SETTINGS.model_copy(update={"period": kind})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(worklist, "timeline", fixtures.timeline)
        con = fixtures.database(found)
        worklist.write_worklists(con, CATALOGUE, tmp_path, settings)
    text = (tmp_path / "worklist" / "S1.html").read_text("utf-8")
    assert f"<h2>Own rates by {kind}</h2>" in text
    # As many columns as fit on paper, and every period once.
    assert text.count('<table class="own-trend">') == tables
    headings = re.findall(r'<th scope="col" class="n">([^<]+)</th>', text)
    trend = own_trends(con, CATALOGUE, kind)["S1"]
    assert headings == trend.periods
    shown = re.findall(r'<td class="n">(\d+)/(\d+)<', text)
    assert len(shown) == sum(cell is not None for rule in trend.rules for cell in rule.cells)
    assert (tmp_path / "worklist" / "S1.html").stat().st_mode & 0o077 == 0
