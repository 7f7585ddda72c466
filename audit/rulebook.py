"""The rulebook: one page a rule, written from its card, its editions and its vignettes."""

import argparse
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import yaml

from audit.attrition import UNITS
from audit.guideline import Catalogue, Exceptions, Gate, Parameter, Rule, Variant
from audit.resources import root

BASE_SECTION = "Unless said otherwise"
RECALLED = "recalled, to be checked"


def render(catalogue: Catalogue) -> dict[str, str]:
    """The whole rulebook.

    Args:
        catalogue: the rules in the order of their numbers.

    Returns:
        Markdown by path, relative to the rulebook's folder.
    """
    pages = {f"{rule.id}.md": render_rule(rule) for rule in catalogue.rules.values()}
    return {"index.md": _index(catalogue), "statements.md": _statements(catalogue)} | pages


def render_rule(rule: Rule) -> str:
    """The page of one rule, as Markdown.

    Args:
        rule: the rule with its card, its editions and, in its folder, its vignettes.
    """
    return _page(render_card(rule), *_section("Patients and their verdicts", *_vignettes(rule)))


def render_card(rule: Rule) -> str:
    """The same page without the vignettes, which run to a hundred lines."""
    card = rule.card
    return _page(
        f"# {card.number} {card.title}",
        f"`{rule.id}` · {card.setting} · {card.severity} · {card.kind} · version {card.version}",
        *_section("What is recommended", card.recommendation),
        *_section("Why it matters", card.why_it_matters),
        *_section(
            "Who is judged",
            card.population,
            f"One finding for each {card.unit}. Left out, in this order, under the numbers that "
            "the report gives the steps (1 to 3: patients loaded, tumours loaded, considered):",
            _numbered((f"{step.says} (`{step.code}`)" for step in card.attrition), len(UNITS) + 1),
        ),
        *_section("When it is met", card.numerator),
        *_section("Accepted exceptions", *_exceptions(card.exceptions)),
        *_section("Missing data", card.missing),
        *_section("Pending", card.pending),
        *(_section("Coverage gate", *_gate(card.gate)) if card.gate else ()),
        *_section("Certainty", f"{_sentence(card.certainty)} Shown as evidence: {card.evidence}"),
        *_section("Numbers", _parameters(card.parameters)),
        *_section("In force from", _editions(rule)),
        *_section("Variants", *_variants(card.variants)),
        *_section("Where the documents disagree", card.disagreement),
        *_section("Reasons", _bulleted(f"`{code}`: {says}" for code, says in card.reasons.items())),
        *_section("Statements covered", _bulleted(f"`{entry}`" for entry in card.covers)),
        *_section("Sources", _bulleted(card.sources)),
        *_section(
            "Review",
            f"Written by {card.authored_by}; {card.checked_by}; next review {card.next_review}.",
        ),
    )


def verdicts(text: str) -> list[tuple[str, str]]:
    """Titles of the vignettes in a file's text, each with the verdict it expects."""
    told = []
    for section in re.split(r"^## ", text, flags=re.MULTILINE)[1:]:
        title, _, body = section.partition("\n")
        if title.strip() == BASE_SECTION:
            continue
        single = re.search(r"^\*\*Verdict:\*\* (.+)$", body, flags=re.MULTILINE)
        several = body.partition("| subject | verdict |\n|---|---|\n")[2].strip()
        subjects = (row.strip("| ").split(" | ") for row in several.splitlines())
        told.append((title.strip(), single[1] if single else "; ".join(map(": ".join, subjects))))
    return told


def main(arguments: Sequence[str] | None = None) -> int:
    """Writes the rulebook under docs/, or says with exit code 1 that it is stale.

    Args:
        arguments: the command line after the module's name; `--check` writes nothing.

    Returns:
        The exit code.
    """
    parser = argparse.ArgumentParser(prog="python -m audit.rulebook", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when stale")
    check = parser.parse_args(arguments).check
    folder = root("checks").parent / "docs" / "rulebook"
    pages = render(Catalogue.read())
    written = {path.name: path.read_text("utf-8") for path in folder.glob("*.md")}
    stale = sorted(n for n in pages.keys() | written.keys() if pages.get(n) != written.get(n))
    if check and stale:
        print(f"stale: {', '.join(stale)}; run python -m audit.rulebook", file=sys.stderr)
    elif not check:
        _write(folder, pages, stale)
    return int(check and bool(stale))


def _write(folder: Path, pages: dict[str, str], stale: Iterable[str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in stale:
        if name in pages:
            (folder / name).write_text(pages[name], encoding="utf-8")
        else:
            (folder / name).unlink()


def _index(catalogue: Catalogue) -> str:
    rules = catalogue.rules.values()
    return _page(
        "# Rulebook",
        "Written by `python -m audit.rulebook` from the cards and vignettes under `checks/rules`.",
        _table(
            ("rule", "recommendation", "setting", "severity"),
            (
                (r.card.number, f"[{r.card.title}]({r.id}.md)", r.card.setting, r.card.severity)
                for r in rules
            ),
        ),
        "Which rule checks which statement of the guideline: [Statements](statements.md).",
        *_section(
            "Shared definitions",
            "Numbers that more than one rule uses.",
            _parameters(catalogue.definitions),
        ),
    )


def _statements(catalogue: Catalogue) -> str:
    written = (root("checks") / "statements.yaml").read_text(encoding="utf-8")
    statements: dict[str, list[str] | dict[str, str]] = yaml.safe_load(written)
    return _page(
        "# Statements",
        "Every statement of the guideline: the rule that checks it, what it tells apart in the "
        "results (stratifier), or why a record can't be checked against it (context).",
        _table(
            ("statement", "kind", "where, or why"),
            ((f"`{name}`", *_use(catalogue, said)) for name, said in statements.items()),
        ),
    )


def _use(catalogue: Catalogue, said: list[str] | dict[str, str]) -> tuple[str, str]:
    if isinstance(said, dict):
        ((kind, text),) = said.items()
        return kind, text
    rules = [catalogue.rules[name] for name in said]
    return "rule", "; ".join(f"{r.card.number} [{r.card.title}]({r.id}.md)" for r in rules)


def _exceptions(exceptions: Exceptions) -> Iterator[str]:
    yield "Asked for only where the recommendation was not met. Accepted reasons:"
    yield _bulleted(f"`{reason}`" for reason in exceptions.reasons)
    yield "A documented reason counts when its topic is one of these:"
    yield _bulleted(
        f"{part}: {', '.join(f'`{topic}`' for topic in topics)}"
        for part, topics in exceptions.topics.items()
    )
    if exceptions.only:
        yield "So does one of these reasons on this further topic, and no other:"
        yield _bulleted(
            f"{part}: {', '.join(f'`{reason}`' for reason in reasons)} on `{topic}`"
            for part, narrow in exceptions.only.items()
            for topic, reasons in narrow.items()
        )


def _gate(gate: Gate) -> Iterator[str]:
    yield (
        f"A hospital at which `{gate.stream}` is seen in no case, or in less than `{gate.share}` "
        "(shared definitions) of the cases in which it is expected, has nobody put up for review: "
        "they could not be judged, as the stream is not linked."
    )
    yield gate.says


def _parameters(parameters: Mapping[str, Parameter]) -> str:
    return _table(
        ("name", "value", "says", "source", "status"),
        (
            (f"`{n}`", f"{p.value} {p.unit}", p.says, p.source, _status(p.status))
            for n, p in parameters.items()
        ),
    )


def _editions(rule: Rule) -> str:
    return _table(
        ("edition", "where", "from", "source", "status"),
        (
            (name, place, str(edition.since), edition.source, _status(edition.status))
            for name, places in rule.editions.items()
            for place, edition in places.items()
        ),
    )


def _variants(variants: dict[str, Variant]) -> Iterator[str]:
    if not variants:
        yield "None."
    for name, variant in variants.items():
        yield f"`{name}` ({variant.source}):"
        yield _bulleted(
            f"`{choice}`{' (default)' if choice == variant.default else ''}: {says}"
            for choice, says in variant.choices.items()
        )


def _vignettes(rule: Rule) -> Iterator[str]:
    told = verdicts((rule.folder / "vignettes.md").read_text("utf-8"))
    place = f"checks/rules/{rule.folder.parent.name}/{rule.id}/vignettes.md"
    yield f"{len(told)} patients, each of them a test; their records: [{place}](../../{place})."
    yield _table(("patient", "verdict"), told)


def _status(status: str) -> str:
    return f"**{RECALLED}**" if status == "recalled" else status


def _section(title: str, *blocks: str) -> tuple[str, ...]:
    return (f"## {title}", *blocks)


def _page(*blocks: str) -> str:
    return "\n\n".join(block.strip() for block in blocks) + "\n"


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:].rstrip(".") + "."


def _numbered(items: Iterable[str], first: int) -> str:
    return "\n".join(f"{number}. {item}" for number, item in enumerate(items, start=first))


def _bulleted(items: Iterable[str]) -> str:
    return "\n".join(f"- {item}" for item in items)


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |" for line in lines)


if __name__ == "__main__":
    sys.exit(main())
