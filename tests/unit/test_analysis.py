"""Analyses beyond the rates: what they rest on, against values worked out otherwise."""

from datetime import date, timedelta
from itertools import product

import altair as alt
import numpy as np
import polars as pl
import pytest
import vl_convert
from extracts import write_extract
from finished_audit import write_audit

import audit
from audit import casemix
from audit.design import CONFIG, in_a_notebook
from audit.errors import UsageError
from audit.incidence import cumulative_incidence, plot_incidence
from audit.sensitivity import ranking_stability
from audit.settings import Settings

CUTOFF = date(2024, 12, 31)
FIRST = date(2020, 3, 2)
DOSES = {"full": 18, "sixteen": 16, "ten": 10, "recurred": 5, "died": 4, "running": 3}


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    """Patients with so many three-weekly doses of trastuzumab, at two sites alike."""
    folder = tmp_path_factory.mktemp("analysis")
    names = [f"{name} {site}" for name, site in product(DOSES, "AB")]
    starts = {n: date(2024, 10, 21) if n.startswith("running") else FIRST for n in names}

    def day(name, doses, more=0):
        return (starts[name] + timedelta(days=21 * (doses - 1) + more)).isoformat()

    tables = {
        "patients": [
            {"patient_id": n, "death_date": day(n, 4, 30) if n.startswith("died") else ""}
            for n in names
        ],
        "tumours": [
            {"tumour_id": n, "patient_id": n, "site_id": n[-1], "histology": "8500/3",
             "diagnosis_date": (starts[n] - timedelta(days=60)).isoformat(),
             "clinical_t": "T2", "clinical_n": "N1", "clinical_m": "M0"}
            for n in names
        ],
        "receptor_tests": [
            {"test_id": n, "patient_id": n, "tumour_id": n, "her2_ihc": "3+",
             "specimen_date": (starts[n] - timedelta(days=60)).isoformat()}
            for n in names
        ],
        "treatments": [
            {"treatment_id": f"{n} {k}", "patient_id": n, "tumour_id": n, "drug": "trastuzumab",
             "start_date": day(n, k + 1)}
            for n in names for k in range(DOSES[n[:-2]])
        ],
        "surgeries": [
            {"surgery_id": n, "patient_id": n, "tumour_id": n, "procedure": "mastectomy",
             "surgery_date": (starts[n] - timedelta(days=30)).isoformat()}
            for n in names
        ],
        "events": [
            {"patient_id": n, "tumour_id": n, "event": "distant_metastasis",
             "event_date": day(n, 5, 10)}
            for n in names if n.startswith("recurred")
        ],
    }  # fmt: skip
    settings = Settings(
        extract=write_extract(folder / "extract", tables), cutoff=CUTOFF, rules=("R17",)
    )
    with audit.open(write_audit(settings, folder / "audit")) as result:
        yield result


def test_how_long_treatment_lasted_and_what_ended_it(result):
    rows = result.persistence_cases.filter(pl.col("site_id") == "A")
    found = {row["patient_id"][:-2]: (row["ended_by"], row["days"]) for row in rows.to_dicts()}
    assert found == {
        "full": ("completed", 18 * 21),
        "sixteen": ("stopped", 16 * 21),
        "ten": ("stopped", 10 * 21),
        "recurred": ("recurrence", 4 * 21 + 10),
        "died": ("death", 4 * 21),
        "running": (None, 3 * 21),
    }


NO_EARLY_STOPS = {
    # The doses of trastuzumab, in days from the first one; what else differs; what it comes to.
    "operated": ([*range(0, 126, 21), *range(240, 492, 21)], {}, ("completed", 492)),
    "switched": ([*range(0, 126, 21)], {"conjugate": 180}, ("switched", 126)),
    "could go on": ([*range(0, 126, 21)], {"seen": 320}, (None, 126)),
    "could not": ([*range(0, 126, 21)], {"seen": 335}, ("stopped", 126)),
    "seen once": ([0], {}, (None, 21)),
    "for the heart": ([*range(0, 126, 21)], {"reason": True}, ("cardiac", 126)),
    "soon died": ([*range(0, 126, 21)], {"death": 150}, ("death", 126)),
    "died after the year": ([*range(0, 357, 21)], {"death": 400}, ("completed", 357)),
}


def test_a_pause_a_switch_or_a_record_that_ends_is_no_early_stop(tmp_path):
    def day(days):
        return (FIRST + timedelta(days=days)).isoformat()

    told = NO_EARLY_STOPS.items()
    tables = {
        "patients": [
            {"patient_id": n, "last_contact_date": day(more["seen"]) if "seen" in more else "",
             "death_date": day(more["death"]) if "death" in more else ""}
            for n, (_, more, _) in told
        ],
        "tumours": [
            {"tumour_id": n, "patient_id": n, "site_id": "A", "histology": "8500/3",
             "diagnosis_date": day(-30), "clinical_t": "T2", "clinical_n": "N1", "clinical_m": "M0"}
            for n in NO_EARLY_STOPS
        ],
        "receptor_tests": [
            {"test_id": n, "patient_id": n, "tumour_id": n, "her2_ihc": "3+",
             "specimen_date": day(-30)}
            for n in NO_EARLY_STOPS
        ],
        "treatments": [
            {"treatment_id": f"{n} {k}", "patient_id": n, "tumour_id": n, "drug": drug,
             "start_date": day(k)}
            for n, (doses, more, _) in told
            for k, drug in [*((k, "trastuzumab") for k in doses),
                            *((more[c], "T-DM1") for c in more if c == "conjugate")]
        ],
        "exceptions": [
            {"patient_id": n, "tumour_id": n, "topic": "trastuzumab", "recorded_date": day(120),
             "reason": "contraindication-cardiac"}
            for n, (_, more, _) in told if "reason" in more
        ],
    }  # fmt: skip
    settings = Settings(
        extract=write_extract(tmp_path / "extract", tables), cutoff=CUTOFF, rules=("R17",)
    )
    with audit.open(write_audit(settings, tmp_path / "audit")) as result:
        rows = result.persistence_cases.select("tumour_id", "ended_by", "days").rows()
        accused = result.findings.filter(verdict="non_conformant")["tumour_id"].to_list()
    found = {tumour: (ended, days) for tumour, ended, days in rows}
    assert found == {n: expected for n, (_, _, expected) in told}
    assert accused == ["could not"]


TO_TDM1 = {
    # The day of surgery, the drugs before it, the day of T-DM1 after it; what it comes to.
    "in time": (date(2020, 3, 2), ["trastuzumab", "docetaxel"], 40, ("begun", 40)),
    "never": (date(2024, 12, 1), ["trastuzumab", "docetaxel"], None, (None, 30)),
    "first day": (date(2019, 5, 3), ["trastuzumab", "paclitaxel"], 50, ("begun", 50)),
    "day before": (date(2019, 5, 2), ["trastuzumab", "paclitaxel"], 50, None),
    "no antibody": (date(2020, 3, 2), ["docetaxel"], 40, None),
    "no taxane": (date(2020, 3, 2), ["trastuzumab", "vinorelbine"], 40, None),
}


def test_the_time_to_tdm1_is_that_of_tumours_to_which_it_was_recommended(tmp_path):
    def day(name, days):
        return (TO_TDM1[name][0] + timedelta(days=days)).isoformat()

    tables = {
        "patients": [{"patient_id": n} for n in TO_TDM1],
        "tumours": [
            {"tumour_id": n, "patient_id": n, "site_id": "A", "histology": "8500/3",
             "diagnosis_date": day(n, -150), "clinical_t": "T2", "clinical_n": "N1",
             "clinical_m": "M0"}
            for n in TO_TDM1
        ],
        "receptor_tests": [
            {"test_id": n, "patient_id": n, "tumour_id": n, "her2_ihc": "3+",
             "specimen_date": day(n, -150)}
            for n in TO_TDM1
        ],
        "treatments": [
            {"treatment_id": f"{n} {drug}", "patient_id": n, "tumour_id": n, "drug": drug,
             "start_date": day(n, days)}
            for n, (_, before, begun, _) in TO_TDM1.items()
            for drug, days in [*((drug, -120) for drug in before),
                               *([("T-DM1", begun)] if begun else [])]
        ],
        "surgeries": [
            {"surgery_id": n, "patient_id": n, "tumour_id": n, "procedure": "mastectomy",
             "surgery_date": day(n, 0), "yp_t": "ypT1c", "yp_n": "ypN0"}
            for n in TO_TDM1
        ],
    }  # fmt: skip
    settings = Settings(
        extract=write_extract(tmp_path / "extract", tables), cutoff=CUTOFF, rules=("R10",)
    )
    with audit.open(write_audit(settings, tmp_path / "audit")) as result:
        rows = result.tdm1_cases.select("tumour_id", "ended_by", "days").rows()
        judged = result.findings.filter(pl.col("verdict") != "not_applicable")["tumour_id"]
    found = {tumour: (ended, days) for tumour, ended, days in rows}
    assert found == {n: expected for n, (*_, expected) in TO_TDM1.items() if expected}
    assert set(judged) == set(found)


def test_the_curves_are_those_of_aalen_and_johansen():
    # Three cases: an event at 10, one lost at 20, the competing event at 30.
    cases = pl.DataFrame({"days": [10, 20, 30], "ended_by": ["stopped", None, "death"]})
    curves = cumulative_incidence(cases)
    last = curves.filter(pl.col("days") == 30).select("event", "incidence").rows()
    assert last == [("death", pytest.approx(2 / 3)), ("stopped", pytest.approx(1 / 3))]
    assert curves.filter(pl.col("low") > pl.col("incidence")).is_empty()


def test_curves_by_site_and_their_plot(result):
    curves = result.persistence(by="site_id")
    assert set(curves["group"]) == {"A", "B"}
    assert set(curves["event"]) == {"completed", "stopped", "recurrence", "death"}
    one, other = (curves.filter(pl.col("group") == g).drop("group") for g in "AB")
    assert one.equals(other)
    assert plot_incidence(curves).to_dict()["facet"]["field"] == "group"
    assert result.time_to_tdm1().is_empty()
    with pytest.raises(UsageError, match="can't group by moon"):
        result.persistence(by="moon")


@pytest.mark.parametrize(("chosen", "then"), [("default", "svg"), ("html", "html")])
def test_a_plot_asks_no_network_unless_the_analyst_chose_so(chosen, then):
    with alt.renderers.enable(chosen):
        in_a_notebook()
        assert alt.renderers.active == then


@pytest.mark.parametrize(("chosen", "then"), [("default", "guideline-audit"), ("dark", "dark")])
def test_a_plot_is_in_the_reports_design_unless_the_analyst_chose_another(chosen, then):
    curves = cumulative_incidence(pl.DataFrame({"days": [10, 20], "ended_by": ["death", "moved"]}))
    with alt.renderers.enable("svg"), alt.theme.enable(chosen):
        plots = plot_incidence(curves), plot_incidence(curves, ["moved"])
        assert alt.theme.active == then
        config = (plots[0] | plots[1]).to_dict()["config"]
    assert (config.get("font") == CONFIG["font"]) == (chosen == "default")
    drawn = vl_convert.vegalite_to_svg(plots[0].to_dict())
    assert ">Death<" in drawn and ">moved<" in drawn and ">all<" not in drawn


def test_a_tolerance_changes_the_rate_by_the_cases_between(result):
    # In 17 doses or 350 days one case of each site has had its year; 16 doses cover 336 days.
    found = result.sensitivity("R17", "min_covered_days", [330, 336, 337, 350])
    columns = ("value", "conformant", "non_conformant", "in_force")
    assert found.select(columns).rows() == [
        (330, 4, 2, False), (336, 4, 2, False), (337, 2, 4, False), (350, 2, 4, True)
    ]  # fmt: skip
    own = result.rates(rule="R17").row(0, named=True)
    assert found["rate"][3] == own["rate"]
    twice = result.sensitivity("R17", "min_covered_days", np.array([336, 350, 336]))
    assert twice.equals(found.filter(pl.col("value").is_in([336, 350])))
    whole = result.sensitivity("R17", "min_covered_days", [336.0])
    assert whole.select(columns[1:3]).row(0) == (4, 2)
    with pytest.raises(UsageError, match="whole number, in days"):
        result.sensitivity("R17", "min_covered_days", [336.5])
    with pytest.raises(UsageError, match="no parameter"):
        result.sensitivity("R17", "moon", [1])
    for alone in (336, "336"):
        with pytest.raises(UsageError, match="is one value"):
            result.sensitivity("R17", "min_covered_days", alone)


def test_readings_stand_side_by_side(result):
    rows = result.variants("R17").select("choice", "in_force", "conformant").rows()
    assert rows == [("350-days", True, 2), ("18-cycles", False, 2)]


def test_the_ranking_of_sites_is_compared_by_kendalls_tau():
    def counts(value, shares):
        return [
            {"value": value, "site_id": str(n), "conformant": s, "non_conformant": 100 - s}
            for n, s in enumerate(shares)
        ]

    frame = pl.DataFrame(
        counts(1, [10, 20, 30]) + counts(2, [11, 21, 31]) + counts(3, [30, 20, 10])
        + counts(4, [10, 30, 20])
    )  # fmt: skip
    found = ranking_stability(frame, "value", 1)
    assert found["kendall_tau"].to_list() == pytest.approx([1, 1, -1, 1 / 3])
    assert found["sites_ranked"].to_list() == [3, 3, 3, 3]


def test_a_small_site_is_shrunken_more_than_a_large_one():
    sizes = [(5, 5), (400, 100), (300, 200), (350, 150), (450, 50), (38, 12), (20, 30)]
    counts = pl.DataFrame(
        [{"site_id": str(n), "conformant": m, "non_conformant": f}
         for n, (m, f) in enumerate(sizes)]
    )  # fmt: skip
    rows = casemix.shrunken(counts)
    target = sum(m for m, _ in sizes) / sum(m + f for m, f in sizes)
    moved = (rows["shrunken"] - rows["rate"]).abs()
    assert moved[0] > 5 * moved[2]
    for rate, shrunken in rows.select("rate", "shrunken").rows():
        assert min(rate, target) - 0.03 <= shrunken <= max(rate, target) + 0.03
    assert rows.filter(pl.col("low") > pl.col("shrunken")).is_empty()


def test_the_funnel_is_the_reports():
    counts = pl.DataFrame({"site_id": ["A", "B", "C"], "conformant": [40, 90, 4],
                           "non_conformant": [60, 10, 1]})  # fmt: skip
    rows = casemix.funnel(counts)
    assert rows["target"][0] == pytest.approx(134 / 205)
    assert rows.filter(pl.col("rate") < pl.col("low_3sd"))["site_id"].to_list() == ["A"]
    assert rows.filter(pl.col("rate") > pl.col("high_3sd"))["site_id"].to_list() == ["B"]
    assert rows["place"].to_list() == ["below-3sd", "above-3sd", "inside"]
    drawn = vl_convert.vegalite_to_svg(casemix.plot_funnel(rows).to_dict())
    assert all(f">{word}<" in drawn for word in ("A", "B", "Recommendation met"))
    assert ">C<" not in drawn  # within the limits, and so not named


@pytest.fixture
def mixed():
    """Two sites that treat alike, of which one has the older patients, who meet the rule less."""
    chance = np.random.default_rng(5)
    rows = []
    for site, old in (("A", 0.8), ("B", 0.2)):
        for _ in range(1500):
            age = "old" if chance.random() < old else "young"
            met = chance.random() < (0.5 if age == "old" else 0.9)
            verdict = "conformant" if met else "non_conformant"
            rows.append({"site_id": site, "age_group": age, "verdict": verdict})
    return pl.DataFrame([*rows, {"site_id": "A", "age_group": None, "verdict": "conformant"},
                         {"site_id": "A", "age_group": "old", "verdict": "pending"}])  # fmt: skip


def test_adjustment_takes_the_case_mix_out(mixed):
    found = casemix.adjusted(mixed, ["age_group"])
    observed = found.sites["observed"] / found.sites["judged"]
    assert observed[1] - observed[0] > 0.2
    assert found.sites["ratio"].to_list() == pytest.approx([1, 1], abs=0.05)
    young = found.coefficients.filter(pl.col("term") != "intercept").row(0, named=True)
    odds = young["odds_ratio"] if "young" in young["term"] else 1 / young["odds_ratio"]
    assert odds == pytest.approx(9, rel=0.25)
    assert found.diagnostics["left_out"] == 1 and found.diagnostics["cases"] == 3000
    assert found.diagnostics["converged"] and 0.65 < found.diagnostics["c_statistic"] < 0.8


def test_what_cannot_be_adjusted_says_so(mixed):
    with pytest.raises(UsageError, match="can't adjust for moon"):
        casemix.adjusted(mixed, ["moon"])
    with pytest.raises(UsageError, match="can't adjust for verdict, site_id"):
        casemix.adjusted(mixed, ["age_group", "verdict", "site_id"])
    with pytest.raises(UsageError, match="can't adjust for nothing"):
        casemix.adjusted(mixed, [])
    with pytest.raises(UsageError, match="all alike"):
        casemix.adjusted(mixed.filter(pl.col("verdict") == "conformant"), ["age_group"])


def test_a_covariate_that_the_cases_leave_open_is_named(mixed):
    met = pl.col("verdict") == "conformant"
    rare = mixed.with_row_index().with_columns(
        bedside=pl.when((pl.col("index") < 40) & met).then(pl.lit("yes")).otherwise(pl.lit("no"))
    )
    assert casemix.adjusted(rare, "age_group").diagnostics["undetermined"] == []
    left_open = casemix.adjusted(rare, ["age_group", "bedside"]).diagnostics["undetermined"]
    assert any(term.startswith("bedside") for term in left_open)


def test_a_missing_extra_names_the_command(monkeypatch):
    def gone(name):
        raise ModuleNotFoundError(name)

    monkeypatch.setattr("audit.extra.import_module", gone)
    with pytest.raises(UsageError, match=r"pip install 'guideline-audit\[notebook\]'"):
        cumulative_incidence(pl.DataFrame({"days": [1], "ended_by": ["stopped"]}))
