"""The twin's HER2 status: one specimen's result, and what the tests of a tumour say together."""

from datetime import date

POSITIVE, EQUIVOCAL, NEGATIVE = "positive", "equivocal", "negative"


def result_date(test):
    return test.get("report_date") or test.get("specimen_date")


def specimen_day(test):
    return test.get("specimen_date") or test.get("report_date")


def ish_class(test, ihc):
    """One ISH row; None where it has no result, equivocal where it contradicts itself."""
    recorded = {"amplified": POSITIVE, "not_amplified": NEGATIVE, "equivocal": EQUIVOCAL}.get(
        test.get("her2_ish")
    )
    counted = counted_class(test, ihc, recorded)
    return EQUIVOCAL if {recorded, counted} == {POSITIVE, NEGATIVE} else counted


def counted_class(test, ihc, recorded):
    """What its numbers mean under the definition in force on its test date, else its statement."""
    ratio, copies = test.get("her2_ratio"), test.get("her2_copies")
    if ratio is None and copies is None:
        return recorded
    day = result_date(test) or date.max
    if day < date(2013, 10, 1):
        if ratio is not None:
            return POSITIVE if ratio > 2.2 else EQUIVOCAL if ratio >= 1.8 else NEGATIVE
        return POSITIVE if copies > 6 else EQUIVOCAL if copies >= 4 else NEGATIVE
    if day < date(2018, 6, 1):
        if (ratio is not None and ratio >= 2.0) or (copies is not None and copies >= 6.0):
            return POSITIVE
        return EQUIVOCAL if copies is not None and copies >= 4.0 else NEGATIVE
    if ratio is None:
        if recorded:
            return recorded
        return POSITIVE if copies >= 6 else NEGATIVE if copies < 4 else EQUIVOCAL
    if copies is None:
        return recorded or EQUIVOCAL
    if ratio >= 2 and copies >= 4:
        return POSITIVE
    if ratio < 2 and copies < 4:
        return NEGATIVE
    if ihc is None:
        return EQUIVOCAL
    group_3 = ratio < 2 and copies >= 6
    return POSITIVE if ihc == 3 or (ihc == 2 and group_3) else NEGATIVE


def ihc_of(rows):
    """The highest IHC score of the rows, or None."""
    scores = [int(row["her2_ihc"][0]) for row in rows if row.get("her2_ihc")]
    return max(scores, default=None)


def specimen_result(rows):
    """The HER2 result of one specimen's rows: positive, equivocal, negative or None."""
    ihc = ihc_of(rows)
    classes = [ish_class(row, ihc) for row in rows]
    if ihc == 3 or POSITIVE in classes:
        return POSITIVE
    for result in (EQUIVOCAL, NEGATIVE):
        if result in classes:
            return result
    if ihc is None:
        return None
    return EQUIVOCAL if ihc == 2 else NEGATIVE


def specimens(tests):
    """The rows grouped by specimen: tumour, date and site."""
    groups = {}
    for test in tests:
        key = (test.get("tumour_id"), test.get("specimen_date"), test.get("specimen_site"))
        groups.setdefault(key, []).append(test)
    return list(groups.values())


def results(tests):
    """The results of all specimens that have one."""
    found = [specimen_result(rows) for rows in specimens(tests)]
    return [result for result in found if result]


def her2_status(tumour, tests, first_dose, metastatic_at_diagnosis):
    """positive, negative or unknown, from the tests before the first systemic dose."""
    usable = [
        test
        for test in tests
        if test.get("invasive") is not False
        and (metastatic_at_diagnosis or test.get("specimen_site") != "metastasis")
    ]
    early = [
        test
        for test in usable
        if first_dose is None or (specimen_day(test) and specimen_day(test) <= first_dose)
    ]
    before = results(early)
    if POSITIVE in before:
        return POSITIVE
    if before:
        return "unknown" if EQUIVOCAL in before else NEGATIVE
    later = results([test for test in usable if test not in early])
    if later:
        return POSITIVE if POSITIVE in later else "unknown"
    summary = tumour.get("her2_summary")
    return summary if summary in (POSITIVE, NEGATIVE) else "unknown"
