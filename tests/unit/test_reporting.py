"""Text from outside, shown: on a terminal, in Markdown, as JSON."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from llmops_actions.errors import Location
from llmops_actions.outcome import Finding, Outcome, Outputs, Verdict
from llmops_actions.reporting.terminal import outcome_as_json, outcome_as_text
from llmops_actions.reporting.text import dollars, heading, markdown, number, one_line, plain, table, width

HOSTILE = [
    "\x1b[31mred\x1b[0m",
    "a|b",
    "a\\|b",
    "\\",
    "back\\",
    "**bold** and __under__",
    "<script>alert(1)</script>",
    "[x](http://example.org)",
    "![x](http://example.org)",
    "@everyone",
    "# heading",
    "line\nbreak\r\nagain\rand",
    "\u202egnp.exe",
    "&lt;b&gt; &amp;amp;",
    "`code`",
    "::error::x",
    "日本語テキスト",
    "😀😀",
    "e\u0301",
    "\u2028x\u0085y",
    "$(id) ~~x~~ a-b",
    "",
]


class SomeOutputs(Outputs):
    """Numbers."""

    cost: float | None = Field(None, description="A number.")


def outcome(summary: str, verdict: Verdict = "passed", *findings: Finding) -> Outcome[Any]:
    return Outcome(verdict, SomeOutputs(), summary, findings)


@pytest.mark.parametrize("text", HOSTILE)
def test_a_cell_shows_the_text_itself_in_a_column_of_its_own(text: str) -> None:
    shown = outcome_as_text("plan", outcome(table(["name", "n"], [[markdown(text), "1"], ["plain", "22"]], "lr")))
    header, marks, row, other, verdict = shown.splitlines()
    assert one_line(text) in row
    assert row.endswith("1")
    columns = {width(line) for line in (header, marks, row, other)}
    assert len(columns) == 1
    assert verdict == "plan: passed"


@given(st.text())
def test_any_text_stays_one_cell_and_comes_back(text: str) -> None:
    line = table(["a", "b"], [[markdown(text, 10_000), "x"]]).splitlines()
    assert len(line) == 3
    shown = outcome_as_text("plan", outcome("\n".join(line))).splitlines()
    assert len(shown) == 4
    cell = shown[2].removeprefix("  ")
    assert cell.endswith("x")
    assert cell[:-1].rstrip() == one_line(text, 10_000).rstrip()


@given(st.text())
def test_plain_text_has_no_control_characters(text: str) -> None:
    for each in plain(text):
        assert each in "\n\t" or unicodedata.category(each) != "Cc"
        assert each not in "\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f"


@given(st.text(), st.integers(1, 50))
def test_one_line_is_short(text: str, limit: int) -> None:
    line = one_line(text, limit)
    assert len(line) <= limit
    assert len(line.splitlines()) <= 1


@pytest.mark.parametrize("text", HOSTILE)
def test_markdown_is_literal(text: str) -> None:
    cell = markdown(text)
    assert "\n" not in cell
    assert "<" not in cell
    assert "@" not in cell
    unescaped = [position for position, each in enumerate(cell) if each == "|" and cell[position - 1] != "\\"]
    assert unescaped == []


@pytest.mark.parametrize(("text", "columns"), [("abc", 3), ("日本", 4), ("😀", 2), ("e\u0301", 1), ("", 0), ("█", 1)])
def test_width_on_a_terminal(text: str, columns: int) -> None:
    assert width(text) == columns


def test_findings_come_first_and_the_verdict_last() -> None:
    findings = (
        Finding("error", "wrong \x1b[31m", Location(Path("x.yaml"), 3, 4)),
        Finding("warning", "odd"),
        Finding("notice", "by the way"),
    )
    text = outcome_as_text("validate", outcome("## Summary\n\nText **bold**.\n", "failed", *findings))
    assert text == ("error: x.yaml:3:4: wrong \ufffd[31m\nwarning: odd\nSummary\n\nText bold.\nvalidate: failed\n")
    assert "notice: by the way" in outcome_as_text("validate", outcome("x", "failed", *findings), verbose=True)


@pytest.mark.parametrize("verdict", ["usage", "error", "failed"])
def test_a_step_without_a_summary_says_its_verdict_once(verdict: Verdict) -> None:
    text = outcome_as_text("plan", outcome(f"**plan**: {verdict}", verdict, Finding("error", "why")))
    assert text == f"error: why\nplan: {verdict}\n"


def test_a_step_that_ended_in_an_error_shows_how_far_it_got() -> None:
    assert "bulk-run x: error" in outcome_as_text("bulk-run", outcome("## bulk-run x: error\n\ntable", "error"))


@pytest.mark.parametrize(("verdict", "code"), [("passed", "32"), ("failed", "31"), ("inconclusive", "33")])
def test_colors(verdict: Verdict, code: str) -> None:
    text = outcome_as_text("plan", outcome("x", verdict, Finding("notice", "n")), color=True, verbose=True)
    assert f"plan: \x1b[{code}m{verdict}\x1b[0m" in text
    assert "notice: n" in text
    assert "\x1b" not in outcome_as_text("plan", outcome("x", verdict), color=False)


def test_json_is_json_whatever_the_numbers() -> None:
    finding = Finding("error", "wrong", Location(Path("x.yaml"), 3))
    document = outcome_as_json("plan", Outcome("failed", SomeOutputs(cost=float("inf")), "s", (finding,)))
    assert json.loads(json.dumps(document, allow_nan=False)) == {
        "schema_version": 1,
        "step": "plan",
        "verdict": "failed",
        "exit_code": 1,
        "outputs": {"cost": None},
        "findings": [{"level": "error", "message": "wrong", "file": "x.yaml", "line": 3, "column": None}],
        "summary": "s",
    }
    assert outcome_as_json("plan", outcome("x", "passed", Finding("notice", "n")))["findings"][0]["file"] is None


def test_numbers_for_people() -> None:
    assert [number(None), number(1234), number(0.12349), number(1234.5)] == ["-", "1,234", "0.123", "1,234.500"]
    assert [dollars(None), dollars(0.0), dollars(0.00012), dollars(1), dollars(1234.567)] == [
        "unknown",
        "$0.0000",
        "$0.0001",
        "$1.00",
        "$1,234.57",
    ]
    assert heading("plan", "a|b", "passed") == "## plan a\\|b: passed"
