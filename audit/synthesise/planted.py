"""Which departures an audit at the cut-off must find, and what the truth file calls them.

Only silent departures are planted, and only those that fell due on record with no recurrence
before; each due date is written down again here, so that a wrong one in a rule does not hide.
"""

import numpy as np

from audit.synthesise.aftercare import Aftercare
from audit.synthesise.chance import NEVER, Bools, Ints
from audit.synthesise.course import Course, Fate
from audit.synthesise.decisions import YEAR_DUE
from audit.synthesise.departures import (
    PERTUZUMAB_BEFORE_SURGERY,
    AfterResponse,
    Escalated,
    Excuse,
    Lacking,
    Partner,
    Route,
)
from audit.synthesise.deviations import Delivered, Deviations
from audit.synthesise.disease import Disease

# Eight doses of pertuzumab every three weeks no longer fit into what is left of the time.
TOO_LATE_FOR_EIGHT = 146

KINDS = {
    "R01": ("negative-assay", "negative-summary", "result-after-first-dose"),
    "R02": ("metastasis-not-retested",),
    "R03": ("no-antibody", "no-chemotherapy", "neither"),
    "R04": ("surgery-first", "no-antibody", "endocrine-therapy-alone"),
    "R05": ("no-pertuzumab", "one-or-two-doses"),
    "R06": ("no-taxane",),
    "R07": ("one-or-two-doses",),
    "R08": ("no-surgery", "surgery-late"),
    "R09": ("response-not-recorded",),
    "R10": ("no-tdm1", "tdm1-after-day-180"),
    "R11": ("tdm1-stopped-early",),
    "R12": ("pertuzumab-dropped", "stopped-early", "one-or-two-doses"),
    "R13": ("chemotherapy-after-response",),
    "R14": ("no-pertuzumab", "too-few-doses", "started-late", "stopped-early"),
    "R15": ("no-chemotherapy",),
    "R16": ("other-chemotherapy", "pertuzumab"),
    "R17": ("stopped-early",),
    "R18": ("not-loaded-again", "gap-unexplained"),
    "R19": ("neratinib-late", "neratinib-beside-antibody"),
    "R20": ("too-little-trastuzumab",),
    "R21": ("pertuzumab-loaded-twice",),
    "R22": ("too-little-taxane",),
    "R23": ("anthracycline-beside-antibody",),
    "R24": ("no-baseline",),
    "R25": ("interval-too-long",),
    "R26": ("given-after-fall",),
    "R27": ("given-after-heart-failure",),
    "R28": ("reaction-not-answered",),
    "R29": ("deruxtecan-after-ild",),
    "R30": ("radiotherapy-before-last-chemotherapy",),
    "R31": ("her2-therapy-paused",),
    "R32": ("no-radiotherapy",),
    "R33": ("no-endocrine-therapy",),
    "R34": ("endocrine-therapy-during-chemotherapy",),
    "R35": ("endocrine-therapy-stopped-early",),
    "R36": ("no-her2-therapy",),
    "R37": ("no-pertuzumab", "no-antibody", "deruxtecan-first"),
    "R38": ("chemotherapy-stopped-early",),
    "R39": ("antibodies-stopped-with-chemotherapy",),
    "R40": ("first-line-regimen-again",),
    "R41": ("tdm1-instead-of-tdxd", "first-line-regimen-again"),
    "R42": ("chemotherapy-alone",),
    "R43": ("her2-therapy-dropped",),
    "R45": ("deruxtecan-first",),
}


def planted(
    disease: Disease,
    course: Course,
    fate: Fate,
    delivered: Delivered,
    deviations: Deviations,
    aftercare: Aftercare,
) -> dict[str, Ints]:
    """Give for each rule how each patient's care departs from it in a way that must be found.

    The numbers are positions in `KINDS`, counted from one; 0 is nothing to find.
    """
    first, until = delivered.her2_first, np.minimum(fate.end, fate.metastasis - 1)

    def fell_due(due: Ints) -> Bools:
        return (due <= fate.end) & (fate.metastasis >= due)

    lacking_due = np.where(deviations.lacking == Lacking.ANTIBODY, 365, 183)
    whole = (deviations.partner == Partner.FEW) | (deviations.partner == Partner.NONE)
    year = first + YEAR_DUE
    few = (fate.end >= year - TOO_LATE_FOR_EIGHT) & (fate.metastasis > year) & (fate.death > year)
    ended = np.where(aftercare.endocrine_end < NEVER, aftercare.endocrine_end, aftercare.endocrine)
    begun = aftercare.endocrine >= PERTUZUMAB_BEFORE_SURGERY
    closed = np.maximum(disease.diagnosed + 180, ended + 90)
    alone = deviations.departs["R04"] == Route.ENDOCRINE_ALONE
    escalated = deviations.departs["R16"] == Escalated.PERTUZUMAB
    due: dict[str, Bools] = {
        "R01": first + 14 <= fate.end,
        "R03": fell_due(disease.diagnosed + lacking_due),
        "R04": np.where(alone, begun & fell_due(closed), course.surgery <= fate.end),
        "R05": course.surgery <= fate.end,
        "R06": course.surgery <= fate.end,
        "R07": course.surgery <= fate.end,
        "R08": (course.taxane_last + 84 <= fate.end) & (fate.metastasis > course.taxane_last + 84),
        "R09": course.last_surgery + 42 <= fate.end,
        "R10": fell_due(course.last_surgery + 180),
        "R11": np.ones_like(until, np.bool_),
        "R12": np.where(deviations.departs["R12"] == AfterResponse.FEW, few, fell_due(year)),
        "R13": delivered.chemotherapy_again <= until,
        "R14": fell_due(first + np.where(whole, 400, 42)),
        "R15": fell_due(first + 90),
        "R16": np.where(escalated, first <= until, fell_due(course.taxane_last + 90)),
        "R17": fell_due(year),
    }
    silent = deviations.excuse == Excuse.SILENT
    return {
        rule: np.where(silent & due[rule], code, 0) for rule, code in deviations.departs.items()
    }
