"""The report as Markdown and as a PDF, and through a user's own templates."""

import re
from html import escape

import pytest
import report_fixtures as fixtures
from pypdf import PdfReader
from report_registry import CATALOGUE

from audit import pdf, report
from audit.errors import UsageError
from audit.pdf import require_weasyprint, write_pdf
from audit.present import present
from audit.report import check_templates, markdown, render, render_report

RULES = [*fixtures.RULES[:2], "trastuzumab-dose"]
"""Hospitals are compared under the last one."""


@pytest.fixture(scope="module")
def page():
    manifest = fixtures.manifest() | {"verdicts": {rule_id: {} for rule_id in RULES}}
    return present(fixtures.tables(), manifest, CATALOGUE)


@pytest.fixture(scope="module")
def folder(page, tmp_path_factory):
    out = tmp_path_factory.mktemp("audit")
    render_report(page, out)
    return out / "report"


def test_markdown_tells_the_same_numbers_and_keeps_source_text_as_text(folder, page):
    text = (folder / "report.md").read_text("utf-8")
    for rule in page.rules:
        cells = rule.registry.cells
        assert f"## {rule.card.number} " in text
        assert f"| {cells['conformant'].value:,} |" in text
    assert "study &lt;drug&gt;" in text and "<drug>" not in text
    assert "Cedar &lt;County&gt; &amp; District Hospital" in text
    assert "&lt;10" in text and not re.search(r"\n\n\n|patient-\d", text)


def test_markdown_marks_in_a_name_stay_text():
    assert markdown("*a* [b](c) `d` |e| _f_\n# g") == (r"\*a\* \[b\](c) \`d\` \|e\| \_f\_ # g")


def test_every_row_of_a_markdown_table_has_as_many_cells_as_its_head(folder):
    width = 0
    for line in (folder / "report.md").read_text("utf-8").splitlines():
        cells = len(re.findall(r"(?<!\\)\|", line)) if line.startswith("|") else 0
        assert not width or cells in (0, width), line
        width = cells


def test_the_pdf_has_contents_page_numbers_and_running_heads(folder, page):
    path = write_pdf(folder, str(fixtures.CUTOFF))
    pages = [one.extract_text() for one in PdfReader(path).pages]
    assert "Contents" in pages[0] and f"1 / {len(pages)}" in pages[0]
    flat = [re.sub(r"\s+", " ", text) for text in pages]
    for rule in page.rules:
        named = f"{rule.card.number} {rule.card.title}"
        listed = re.search(rf"{re.escape(named)} \.+ (\d+)", flat[0])
        assert listed and named in flat[int(listed[1]) - 1]
    assert all(f"Guideline audit to {fixtures.CUTOFF}" in text for text in flat[1:])
    assert "Cedar <County> & District Hospital" in " ".join(flat)


def test_the_pdf_fetches_nothing():
    with pytest.raises(ValueError, match="fetches nothing"):
        pdf._refuse("https://example.org/x.png")


def test_a_missing_extra_is_said_with_what_to_install(monkeypatch):
    def missing(name):
        raise ImportError(name)

    monkeypatch.setattr(pdf, "import_module", missing)
    with pytest.raises(UsageError, match=r"guideline-audit\[pdf\]"):
        require_weasyprint()


def test_a_users_template_and_stylesheet_replace_ours_by_name(tmp_path, page):
    (tmp_path / "style.css").write_text("body { color: rebeccapurple }")
    (tmp_path / "report.md").write_text("{{ page.rules | length }} rules of ours")
    check_templates(tmp_path)
    assert render("report.md", {"page": page}, tmp_path) == "3 rules of ours\n"
    worklists = render("worklists.html", {"sites": []}, tmp_path)
    assert "rebeccapurple" in worklists and "--ink" not in worklists
    assert "--ink" in render("worklists.html", {"sites": []})


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("a\n{% if %}", 2, "Expected an expression"),
        ("a\nb\n{{ nothing.here }}", 3, "'nothing' is undefined"),
        ("{{ page.rules[0].registry.cells.nobody }}", 1, "nobody"),
        ("a\n{% include 'no-such.html' %}", 2, "no-such.html"),
        ("a\n\n{{ 1 / 0 }}", 3, "ZeroDivisionError"),
    ],
)
def test_a_mistake_in_a_template_names_its_file_and_line(tmp_path, page, text, line, says):
    (tmp_path / "report.md").write_text(text)
    with pytest.raises(UsageError) as raised:
        check_templates(tmp_path)
        render("report.md", {"page": page}, tmp_path)
    assert f"{tmp_path / 'report.md'}, line {line}: " in str(raised.value)
    assert says in str(raised.value)


def test_a_missing_folder_of_templates_is_a_users_mistake(tmp_path):
    with pytest.raises(UsageError, match="is not a folder"):
        check_templates(tmp_path / "none")
    check_templates(None)


def test_a_mistake_of_ours_is_not_called_the_users(tmp_path):
    (tmp_path / "style.css").write_text("")
    with pytest.raises(report.TemplateError):
        render("worklists.html", {}, tmp_path)


def test_titles_reach_the_pdf_as_the_pages_escape_them():
    page = f'<main><p id="a">{escape("<b>")}</p><a href="#a">b</a></main>'
    chapter = pdf._body("rule-x", page, "")
    assert chapter == '<p id="rule-x--a">&lt;b&gt;</p><a href="#rule-x--a">b</a>'


def test_small_charts_have_their_colours_in_the_pdf(folder):
    """Each is drawn by itself there: a class without a rule in the chart would be black."""
    page = (folder / "index.html").read_text("utf-8")
    style = pdf._of_small_charts(pdf._part(pdf._STYLE, page))
    assert "var(" not in style and "#0b4f6c" in style
    charts = re.findall(
        r'<svg class="(?:strip|spark|split)[ "].*?</svg>', pdf._body("x", page, style), re.DOTALL
    )
    used = {name for svg in charts for name in re.findall(r'<\w+ class="(\w+)"', svg)}
    assert {"interval", "rate"} <= used
    assert all(f"<style>{style}</style>" in svg for svg in charts)
    assert [name for name in used if f".{name} {{" not in style] == []


def test_markdown_tables_hold_what_the_pages_print(folder):
    """Rates by hospital, period and group, funnel positions, margins and readings among it."""
    pages = "".join(path.read_text("utf-8") for path in folder.rglob("*.html"))
    printed = set(re.findall(r">([0-9.,]+%?)(?:</data>| rows)", pages))
    text = (folder / "report.md").read_text("utf-8")
    for head in (
        "| Hospital | Judged | Rate |",
        "| Year of decision |",
        "| Were the limit |",
    ):
        assert head in text
    rows = [line.split("|")[2:] for line in text.splitlines() if line.startswith("|")]
    numbers = {
        n for cells in rows for n in re.findall(r"(?<!lt;)\b[0-9][0-9.,]*%?", " ".join(cells))
    }
    # The words of heads, of steps and of editions have numbers of their own.
    assert len(numbers & printed) > 100
    assert {n for n in numbers - printed if re.search("[%,]", n)} <= {"95%"}
