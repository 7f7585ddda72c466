"""Everything published of an audit, put before the reader who solves for what is hidden.

The numbers are those of the summary, which holds every number of the pages under its id. Each has
to be of a kind that is read here, so that no number can come into the pages past the reader.
"""

import re
from math import inf
from urllib.parse import unquote

from reader import Reader

from audit.outputs import machine_readable, summary
from audit.published import published
from audit.report import render_report
from audit.verdicts import IN_POPULATION, VERDICTS

COUNTS = (*VERDICTS, "population")
WORKED_OUT = (
    r"[^/]+/(registry|site|year|half-year|quarter|age|receptors|stage|adjacent_dcis|anthracycline|era)/.*"
    r"(judged|wilson_low|wilson_high|completeness_least)",
    r"[^/]+/funnel/.*",
    r"[^/]+/tolerance/.*",
    r"[^/]+/repair/.*/(now|after)",
    r"sites/.*",
    r"registry/alarms/.*",
)
"""Numbers that follow from others: `shown_behind` names these, which have to be shown."""
OF_FILES = (
    r"registry/(drugs_left_out|repairs/unnamed_sites)",
    r"quality/[^/]+/(checked|expectations|block|warn|info)",
)
"""Rows of files, texts, hospitals and expectations, which are told in full."""


def printed(page, folder):
    """Every number of the pages, rendered into the folder, as it is shown under its id."""
    render_report(page, folder)
    numbers = published(sorted((folder / "report").rglob("*.html")))
    rows = machine_readable(summary([r.figures for r in page.rules], page.threshold, numbers))
    return {key_of(id_): shown for id_, shown in rows.select("id", "shown").rows() if shown}


def key_of(id_):
    """The parts of an id."""
    return tuple(unquote(part) for part in id_.split("/"))


class Book:
    """What a reader of one audit's pages and summary knows."""

    def __init__(self, page, numbers, open_page, open_numbers, tables):
        """Takes the page with its numbers, and the same with nothing hidden, which is the truth."""
        self.page, self.numbers, self.threshold = page, numbers, page.threshold
        self.reader, self.truth, self.read = Reader(), {}, set()
        self._open = open_numbers
        for rule in page.rules:
            self._read_rule(rule.figures)
            self._read_reviews(rule.figures)
        self._read_steps_across()
        self._read_readings(tables["variant_rates"])
        self._read_repairs_of_sites(tables["repairs"])
        self._read_loads()
        self._read_facts()
        self._read_responses()
        self._read_windows(open_page)
        self._read_completeness(tables["completeness"])
        self._read_lists()

    def unread(self):
        """Ids of numbers that no part of the reader has seen, nor knows to be worked out."""
        known = "|".join((*WORKED_OUT, *OF_FILES))
        ids = ("/".join(key) for key in self.numbers if key not in self.read)
        return [id_ for id_ in ids if not re.fullmatch(known, id_)]

    def _sees(self, *parts):
        """A count under its id, as it is shown; not to be seen at all, it is at least not zero."""
        key = tuple(part for part in parts if part)
        if key not in self._open:
            return None
        self.truth[key] = int(self._open[key])
        self.read.add(key)
        self._knows(key, self.numbers.get(key, "suppressed" if self.truth[key] else "0"))
        return key

    def _knows(self, key, shown):
        if shown.isdigit():
            self.reader.knows(key, int(shown), int(shown))
        else:
            self.reader.knows(key, 1, self.threshold - 1 if shown.startswith("<") else inf)

    def _share(self, part, whole, *parts):
        """A share, with what its digits leave open."""
        key = tuple(p for p in parts if p)
        self.read.add(key)
        shown = self.numbers.get(key, "")
        if re.fullmatch(r"[0-9.]+", shown):
            half = 0.5 * 10.0 ** -len(shown.partition(".")[2]) + 1e-9
            self.reader.reads_share(float(shown) - half, float(shown) + half, part, whole)

    def _adds_up(self, parts, total):
        """A sum, where all its counts are counted and it holds."""
        parts = [part for part in parts if part]
        if parts and total and sum(self.truth[part] for part in parts) == self.truth[total]:
            self.reader.adds_up(parts, total)

    @staticmethod
    def _reads_order(listed):
        """Names with their counts, largest first: the place of a hidden one must tell nothing."""
        hidden = [name for name, cell in listed if cell.value is None]
        assert hidden == sorted(hidden)
        assert hidden == [name for name, _ in listed[len(listed) - len(hidden) :]]

    def _read_loads(self):
        for load in self.page.loads:
            measures = ("loaded", "duplicates", "quarantined", "read")
            *parts, read = (self._sees("registry", "loads", load.name, m) for m in measures)
            self._adds_up(parts, read)
            reasons = [self._sees("registry", "quarantine", load.label, r) for r in load.reasons]
            self._adds_up(reasons, parts[-1])
            for measure, same in (("read", read), ("quarantined", parts[-1])):
                self._adds_up([self._sees("quality", load.name, measure)], same)
        listed = [(f"{table}\n{reason}", cell) for table, reason, cell in self.page.quarantine]
        self._reads_order(listed)

    def _read_rule(self, rule):
        id_ = rule.rule_id
        registry = {name: self._sees(id_, "registry", name) for name in COUNTS}
        self._read_group(registry, id_, "registry", "")
        period = self.page.manifest["period"]
        for level, groups in {"site": rule.sites, period: rule.periods, **rule.strata}.items():
            cells = [{n: self._sees(id_, level, g.id, n) for n in COUNTS} for g in groups]
            for group, own in zip(groups, cells, strict=True):
                self._read_group(own, id_, level, group.id)
            for name in COUNTS:
                self._adds_up([own[name] for own in cells], registry[name])
        for listed in (*rule.reasons.values(), rule.missing):
            self._reads_order(listed)
        self._reads_order([(" + ".join(r.fields), r.settled) for r in rule.repairs])
        for verdict, reasons in rule.reasons.items():
            parts = [self._sees(id_, "reason", verdict, code) for code, _ in reasons]
            self._adds_up(parts, registry[verdict])
        repairs = {
            r.fields: self._sees(id_, "repair", " + ".join(r.fields), "settled")
            for r in rule.repairs
        }
        self._adds_up(repairs.values(), registry["not_evaluable"])
        for field, _ in rule.missing:
            among = [key for fields, key in repairs.items() if field in fields]
            self._adds_up(among, self._sees(id_, "missing", field))
        self._read_steps(rule, registry)
        for verdict, bands in rule.margins.cells.items() if rule.margins else ():
            parts = [self._sees(id_, "margin", verdict, code) for code in bands]
            self._adds_up(parts, registry[verdict])

    def _read_group(self, cells, *group):
        self._adds_up([cells[name] for name in IN_POPULATION], cells["population"])
        if not all(cells[name] for name in IN_POPULATION):
            return
        met, unmet, unjudged = (
            {cells[name]: 1} for name in ("conformant", "non_conformant", "not_evaluable")
        )
        population = {cells[name]: 1 for name in IN_POPULATION}
        self._share(met, met | unmet, *group, "rate")
        self._share(met, met | unmet | unjudged, *group, "bound_low")
        self._share(met | unjudged, met | unmet | unjudged, *group, "bound_high")
        evaluated = population | {cells["not_evaluable"]: 0}
        self._share(evaluated, population, *group, "completeness")

    def _read_reviews(self, rule):
        """What else was excepted is not printed: it is what accepted cases leave of all excepted.

        A hospital without an accepted case is not listed, and the registry's stand as a reason.
        """
        registry = (rule.rule_id, "registry")
        accepted_of_all = (rule.rule_id, "reason", "excepted", "adjudicated")
        if accepted_of_all not in self.truth:
            return
        accepted = {at: self._sees(*at, "adjudicated") for at in self._sites(rule)}
        for at, own in {registry: accepted_of_all, **accepted}.items():
            if own:
                met, unmet = {(*at, "conformant"): 1}, {(*at, "non_conformant"): 1}
                self._share(met, met | unmet | {own: 1}, *at, "before_review", "rate")
        for at, own in accepted.items():
            if own:
                others = (*at, "excepted otherwise")
                self.truth[others] = self.truth[*at, "excepted"] - self.truth[own]
                self.reader.knows(others, 0, inf)
                self._adds_up([own, others], (*at, "excepted"))
        self._adds_up(accepted.values(), accepted_of_all)

    @staticmethod
    def _sites(rule):
        return [(rule.rule_id, "site", *([site.id] if site.id else [])) for site in rule.sites]

    def _read_steps(self, rule, registry):
        before = None
        for number, step in enumerate(rule.steps, 1):
            left = self._sees(rule.rule_id, "step", str(number), "remaining")
            removed = self._sees(rule.rule_id, "step", str(number), "removed")
            if removed:
                self._adds_up([left, removed], before)
                if step.code in IN_POPULATION:
                    self._adds_up([removed], registry[step.code])
                if step.code == "not_evaluable":
                    self._adds_up([before], registry["population"])
            before = left

    def _read_steps_across(self):
        """Rules that take out the same in the same order, in truth as many, are known to do so."""
        first = {}
        for rule in (rule.figures for rule in self.page.rules):
            told = ()
            for number, step in enumerate(rule.steps, 1):
                if step.code in IN_POPULATION:
                    break
                own = {
                    what: (rule.rule_id, "step", str(number), what)
                    for what in ("remaining", "removed")
                    if (rule.rule_id, "step", str(number), what) in self.truth
                }
                told += (step.code, *(self.truth[key] for key in own.values()))
                for what, key in own.items():
                    same = first.setdefault((what, told), key)
                    if same != key:
                        self._adds_up([same], key)

    def _read_readings(self, others):
        """From an interval a reader knows the counts: by none may two readings differ a little."""
        for rule in (rule.figures for rule in self.page.rules):
            in_force = [(rule.rule_id, "registry", n) for n in ("conformant", "non_conformant")]
            told = [[self.truth[key] for key in in_force]]
            for one in rule.readings:
                of = (rule.rule_id, "reading", one.variant, one.choice)
                self.read |= {(*of, name) for name in ("rate", "wilson_low", "wilson_high")}
                if (*of, "rate") in self.numbers:
                    assert all(self.numbers[key].isdigit() for key in in_force)
                    row = others.filter(rule_id=of[0], variant=of[2], choice=of[3])
                    told.append([row[name].item() for _, _, name in in_force])
            for counts in zip(*told, strict=True):
                self._are_far_apart(counts)
            self._are_far_apart([met + unmet for met, unmet in told])

    def _are_far_apart(self, counts):
        gaps = {abs(one - other) for one in counts for other in counts}
        assert not [gap for gap in gaps if 0 < gap < self.threshold]

    def _read_repairs_of_sites(self, repairs):
        """A hospital's repair is named for rules under which it settles no small number."""
        numbers = {rule.card.number: rule.id for rule in self.page.rules}
        keys = {}
        for rule_id, site, field, n in repairs.select(
            "rule_id", "site_id", "field", "verdicts_settled"
        ).rows():
            if site is not None and rule_id in numbers.values():
                key = (rule_id, "repair at", site, field)
                self.truth[key] = n
                self.reader.knows(key, 0, inf)
                keys.setdefault((rule_id, "repair", field, "settled"), []).append(key)
                keys.setdefault((rule_id, "site", site, "not_evaluable"), []).append(key)
        for total, parts in keys.items():
            if total in self.truth:
                self._adds_up(parts, total)
        for at in self.page.repairs_by_site:
            for fields, rules in at.first:
                for number in rules:
                    key = (numbers[number], "repair at", at.id, " + ".join(fields))
                    self.reader.knows(key, self.threshold, inf)

    def _read_facts(self):
        """A total comes right before its parts; the sum of what is left is known."""
        for topic, rows in self.page.facts.items():
            keys = [self._sees("registry", "facts", topic, row.says) for row in rows]
            inside = set()
            for at, total in enumerate(keys):
                for end in range(at + 3, len(keys) + 1):
                    if self.truth[total] and (
                        sum(self.truth[key] for key in keys[at + 1 : end]) == self.truth[total]
                    ):
                        self._adds_up(keys[at + 1 : end], total)
                        inside |= set(keys[at + 1 : end])
            outside = [key for key in keys if key not in inside]
            whole = ("registry", "facts", topic, "known")
            self.truth[whole] = sum(self.truth[key] for key in outside)
            self.reader.knows(whole, self.truth[whole], self.truth[whole])
            self._adds_up(outside, whole)

    def _read_responses(self):
        cells = {}
        for row in self.page.responses:
            own = {
                name: self._sees("registry", "responses", row.level, row.group, name)
                for name in row.cells
            }
            cells.setdefault(row.level, []).append(own)
            self._adds_up([own[n] for n in ("pcr", "residual", "unknown")], own["operated"])
            known = {own["pcr"]: 1, own["residual"]: 1}
            at = ("registry", "responses", row.level, row.group)
            self._share({own["pcr"]: 1}, known, *at, "share")
        for groups in cells.values():
            for name, total in cells["all"][0].items():
                if groups is not cells["all"]:
                    self._adds_up([own[name] for own in groups], total)

    def _read_windows(self, open_page):
        """Lines as two windows make them may differ in a few patients: such a count is hidden."""
        shown = [
            (self._sees("registry", "windows", f"{one.join_days}-{one.gap_days}", name), cell.value)
            for one in self.page.windows
            for name, cell in one.cells.items()
        ]
        self._are_far_apart([value for _, value in shown if value is not None])
        assert len(shown) == sum(len(one.cells) for one in open_page.windows)

    def _read_completeness(self, counted):
        """How many are expected to have a field is not printed.

        The reader is taken to know it of the registry, and wherever it helps to understand a share.
        """
        groups = {}
        for row in counted.to_dicts():
            level, id_ = ("site", row["site_id"]) if row["site_id"] else ("year", row["year"])
            level, id_ = (level, id_) if id_ else ("", "")
            of = ("completeness", row["field"], level, id_)
            groups.setdefault((row["field"], level), []).append(self._read_field(of, row))
        for (field, level), own in groups.items():
            for name in ("expected", "present", "missing") if level else ():
                self._adds_up([keys[name] for keys in own], groups[field, ""][0][name])

    def _read_field(self, of, row):
        counts = {
            "expected": row["expected"],
            "present": row["present"],
            "missing": row["expected"] - row["present"],
        }
        keys = {name: (*of, name) for name in counts}
        id_ = tuple(part for part in of if part)
        shown = self.numbers[id_]
        self.read.add(id_)
        for name, key in keys.items():
            self.truth[key] = counts[name]
            self.reader.knows(key, 0, inf)
        if len(id_) == 2:
            self.read.add((*id_, "missing"))
            self._knows(keys["missing"], self.numbers[*id_, "missing"])
        few = {"few": "expected", "few-missing": "missing", "few-recorded": "present"}
        if shown in few:
            self.reader.knows(keys[few[shown]], 1, self.threshold - 1)
        if len(id_) == 2 or shown not in ("few", "hidden", "1.00", "0.00"):
            self.reader.knows(keys["expected"], row["expected"], row["expected"])
        if shown in ("1.00", "0.00"):
            self.reader.knows(keys["missing" if shown == "1.00" else "present"], 0, 0)
        elif re.fullmatch(r"[0-9.]+", shown):
            # Rounded towards the middle.
            low = float(shown) - (0 if float(shown) >= 0.5 else 0.01)
            ends = (low - 1e-9, low + 0.01 + 1e-9)
            self.reader.reads_share(*ends, {keys["present"]: 1}, {keys["expected"]: 1})
        self._adds_up([keys["present"], keys["missing"]], keys["expected"])
        return keys

    def _read_lists(self):
        """Counts that stand in no sum."""
        for name in ("patients", "tumours"):
            self._sees("registry", name)
        for name, _ in self.page.stages:
            self._sees("registry", "stages", name)
        for at in range(1, len(self.page.drugs) + 1):
            for what in ("rows", "patients"):
                self._sees("registry", "drugs", str(at), what)
        for key in self.numbers:
            if key[0] == "quality" and key[-1] == "rows":
                self._sees(*key)
