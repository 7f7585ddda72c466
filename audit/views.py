"""How results and rules show themselves in a notebook; every text is escaped."""

from collections.abc import Iterator, Mapping
from functools import cached_property
from html import escape

import polars as pl

from audit.finished import Finished
from audit.guideline import Catalogue, Rule
from audit.rulebook import render_card
from audit.wording import words

_TABLE = "border-collapse:collapse;margin:0.5em 0"
_CELL = "padding:2px 12px 2px 0;text-align:left"


class RuleView:
    """One rule of the catalogue; shows its card."""

    def __init__(self, rule: Rule) -> None:
        """Takes the rule."""
        self.rule = rule

    def __repr__(self) -> str:
        return f"<rule {self.rule.card.number} {self.rule.id}: {self.rule.card.title}>"

    def _repr_markdown_(self) -> str:
        """The rule's page of the rulebook, without its vignettes."""
        return render_card(self.rule)


class Rules:
    """The catalogue: `.frame` lists it, `rules["R10"]` shows one rule."""

    @cached_property
    def catalogue(self) -> Catalogue:
        """The rules that this installation ships."""
        return Catalogue.read()

    @property
    def frame(self) -> pl.DataFrame:
        """One row a rule: number, id, title, setting, severity, kind, parameters, variants."""
        return pl.DataFrame(
            [
                {
                    "number": rule.card.number,
                    "rule_id": rule.id,
                    "title": rule.card.title,
                    "setting": rule.card.setting,
                    "severity": rule.card.severity,
                    "kind": rule.card.kind,
                    "parameters": list(rule.card.parameters),
                    "variants": list(rule.card.variants),
                    "next_review": rule.card.next_review,
                }
                for rule in self.catalogue.rules.values()
            ],
            schema_overrides={
                "parameters": pl.List(pl.String),
                "variants": pl.List(pl.String),
            },
        )

    def __getitem__(self, asked: str) -> RuleView:
        """One rule by id or number.

        Raises:
            UsageError: no such rule.
        """
        return RuleView(self.catalogue.select([asked])[0])

    def __iter__(self) -> Iterator[RuleView]:
        return map(RuleView, self.catalogue.rules.values())

    def __len__(self) -> int:
        return len(self.catalogue.rules)

    def __repr__(self) -> str:
        return repr(self.frame)

    def _repr_html_(self) -> str:
        rows = "".join(
            f'<tr><td style="{_CELL}">{escape(row["number"])}</td>'
            f'<td style="{_CELL}">{escape(row["title"])}</td>'
            f'<td style="{_CELL}"><code>{escape(row["rule_id"])}</code></td></tr>'
            for row in self.frame.iter_rows(named=True)
        )
        return f'<table style="{_TABLE}">{rows}</table>'


def result_html(finished: Finished, counts: Mapping[str, int]) -> str:
    """What an audit says of itself: cut-off, rules, rows, and its verdicts in the population."""
    said = finished.manifest
    rows = sum(table["rows_loaded"] for table in said["tables"].values())
    held = sum(table["rows_quarantined"] for table in said["tables"].values())
    facts = {
        "Cut-off": said["cutoff"],
        "Jurisdiction": said["jurisdiction"],
        "Rules": f"{len(said['verdicts'])}",
        "Rows": f"{rows:,} loaded, {held:,} in quarantine",
    }
    facts |= {words()["verdicts"][name]["label"]: f"{counts[name]:,}" for name in counts}
    cells = "".join(
        f'<tr><th style="{_CELL}">{escape(name)}</th><td style="{_CELL}">{escape(value)}</td></tr>'
        for name, value in facts.items()
    )
    return f'<strong>Audit</strong><table style="{_TABLE}">{cells}</table>'
