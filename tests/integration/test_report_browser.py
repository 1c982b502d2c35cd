"""The report in a real Chromium: sorted, searched, compared, read by keyboard, in light and dark, off the network."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Literal

import pytest
from tests.unit.reporting.folders import Sample, answer, read, write_comparison, write_verdict
from tests.unit.reporting.hostile import HOSTILE

from llmops_actions.reporting.html.page import Report, write_page
from llmops_actions.reporting.pairing import STANDINGS
from llmops_actions.reporting.results import read_baseline
from llmops_actions.work_folder import WorkFolder

playwright = pytest.importorskip("playwright.sync_api")
axe = pytest.importorskip("axe_playwright_python.sync_playwright")

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.slow]

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
NOW = datetime(2026, 1, 2, 5, 0, tzinfo=timezone.utc)
Scheme = Literal["light", "dark"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as driver:
        found = driver.chromium.launch(executable_path=shutil.which("chromium"), headless=True, args=list(FLAGS))
        yield found
        found.close()


@dataclass
class Opened:
    """A report in a page, with everything that the page complained of or asked the network for."""

    page: Any
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def rows(self) -> list[str]:
        """The names of the rows that are shown."""
        names: list[str] = self.page.locator("#table .open").all_text_contents()
        return names

    def standings(self) -> dict[str, int]:
        """The counts that the buttons show."""
        texts = self.page.locator("#standings button").all_inner_texts()
        return {text.split()[0]: int(text.split()[1].replace(",", "")) for text in texts}

    def count(self, text: str) -> None:
        """Wait until the page says how many rows it shows."""
        playwright.expect(self.page.locator("#count")).to_have_text(text)


Open = Callable[..., Opened]


@pytest.fixture
def opened(browser: Any) -> Iterator[Open]:
    contexts = []
    reports: list[Opened] = []

    def open_(file: Path, scheme: Scheme = "light", width: int = 1280) -> Opened:
        context = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 900})
        contexts.append(context)
        page = context.new_page()
        report = Opened(page)
        reports.append(report)
        page.on("console", lambda message: report.complaints.append(message.text))
        page.on("pageerror", lambda error: report.complaints.append(str(error)))
        page.on("dialog", lambda dialog: report.complaints.append(dialog.message))
        page.on("request", lambda request: report.requests.append(request.url))
        page.goto(file.as_uri())
        page.wait_for_selector("#table tbody.row")
        return report

    yield open_
    for report in reports:
        assert report.complaints == []
        assert [url for url in report.requests if not url.startswith(("file:", "data:"))] == []
    for context in contexts:
        context.close()


def write(folder: WorkFolder, directory: Path | None = None) -> Path:
    first = read(folder)
    baseline = read_baseline(first.results, directory) if directory else None
    found = read(folder, baseline) if baseline else first
    file = folder.root / "index.html"
    write_page(
        file, Report(found.results, baseline, found.facts, found.pairing, found.overview, {"commit": "abc"}, NOW)
    )
    return file


@pytest.fixture(scope="module")
def usual(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two datasets, three variations, a baseline with answers, a verdict and a comparison: 240 rows."""
    root = tmp_path_factory.mktemp("usual")

    def say(variation: str, row: int) -> Mapping[str, Any]:
        return answer("default" if variation == "other" and row % 2 else variation, row)

    folder = Sample(rows=120, variations=("default", "brief", "other"), datasets=("train", "hard"), answer=say).write(
        root / "now"
    )
    Sample(rows=100, datasets=("train", "hard")).write(root / "before")
    write_verdict(folder)
    write_comparison(folder)
    return write(folder, root)


def test_rows_are_counted_as_python_counts_them(usual: Path, opened: Open) -> None:
    report = opened(usual)
    found = read(WorkFolder(usual.parent), read_baseline(read(WorkFolder(usual.parent)).results, usual.parent.parent))
    shown = report.standings()
    assert shown.pop("all") == 240
    assert shown == dict(found.overview.counts)
    assert list(shown) == [name for name in STANDINGS if name in shown]


def test_regressed_rows_come_first(usual: Path, opened: Open) -> None:
    report = opened(usual)
    assert report.page.locator("#table .badge").first.inner_text() == "regressed"
    assert report.rows()[:3] == ["train 1", "train 4", "train 7"]
    playwright.expect(report.page.locator("th[data-sort=standing]")).to_have_attribute("aria-sort", "ascending")


def test_sorting_by_a_header_and_back(usual: Path, opened: Open) -> None:
    report = opened(usual)
    header = report.page.locator("th[data-sort=time]")
    header.get_by_role("button").click()
    playwright.expect(header).to_have_attribute("aria-sort", "ascending")
    assert report.rows()[0] == "train 1"
    header.get_by_role("button").click()
    playwright.expect(header).to_have_attribute("aria-sort", "descending")
    playwright.expect(report.page.locator("#table .open").first).to_have_text("train 120")
    playwright.expect(report.page.locator("th[data-sort=standing]")).to_have_attribute("aria-sort", "none")


def test_filters_narrow_what_is_shown(usual: Path, opened: Open) -> None:
    report = opened(usual)
    total = report.standings()["regressed"]
    report.page.locator("#standings button", has_text="regressed").click()
    report.count(f"{total} of 240 rows")
    assert set(report.page.locator("#table .badge").all_inner_texts()) == {"regressed"}
    report.page.get_by_label("Dataset").select_option(label="hard")
    report.count(f"{total // 2} of 240 rows")
    assert all(name.startswith("hard") for name in report.rows())


def test_search_looks_into_inputs_answers_and_remarks(usual: Path, opened: Open) -> None:
    report = opened(usual)
    for query, count in (("why 77?", 2), ("BECAUSE OF ROW 7,", 2), ("it gives none", 146), ("nowhere", 0), ("", 240)):
        report.page.get_by_label("Search").fill(query)
        report.count(f"{count} of 240 rows")


def test_another_pair_is_compared(usual: Path, opened: Open) -> None:
    report = opened(usual)
    report.page.get_by_label("Compared with").select_option(label="default")
    report.page.get_by_label("Variation", exact=True).select_option(label="other")
    playwright.expect(report.page.locator("#table thead .after")).to_have_text("other")
    report.count("240 of 240 rows")
    assert report.standings() == {"all": 240, "regressed": 40, "improved": 40, "same": 160}
    report.page.get_by_label("Compared with").select_option(label="nothing")
    playwright.expect(report.page.locator("#standings")).to_contain_text("wrong")
    assert report.standings() == {"all": 240, "wrong": 80, "completed": 160}


def test_pages_turn(usual: Path, opened: Open) -> None:
    report = opened(usual)
    assert len(report.rows()) == 50
    report.page.get_by_role("button", name="Last").click()
    playwright.expect(report.page.locator("#page")).to_have_text("Page 5 of 5")
    assert len(report.rows()) == 40
    report.page.get_by_role("button", name="Previous").click()
    playwright.expect(report.page.locator("#page")).to_have_text("Page 4 of 5")
    report.page.get_by_role("button", name="First").click()
    report.page.get_by_role("button", name="Next").click()
    playwright.expect(report.page.locator("#page")).to_have_text("Page 2 of 5")


def test_a_row_opens_with_the_words_that_differ(usual: Path, opened: Open) -> None:
    report = opened(usual)
    report.page.locator("#table .open").first.click()
    detail = report.page.locator("#table .detail").first
    assert detail.locator("del").all_inner_texts() == ["Because"]
    assert detail.locator("ins").all_inner_texts() == ["No idea"]
    values = detail.locator(".sides").first.locator(".value").all_inner_texts()
    assert values == ["Because of row 0, I would say.", "No idea of row 0, I would say."]
    assert "grade.correct" in detail.inner_text()
    assert "It gives none." in detail.inner_text()
    report.page.locator("#table .open").first.click()
    playwright.expect(detail).to_be_hidden()


def test_by_keyboard_alone(usual: Path, opened: Open) -> None:
    page = opened(usual).page
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    page.get_by_label("Search").focus()
    page.keyboard.type("why 7?")
    playwright.expect(page.locator("#count")).to_have_text("2 of 240 rows")
    for _ in range(30):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.classList.contains('open')"):
            break
    focused = page.locator(":focus")
    assert focused.evaluate("e => getComputedStyle(e).outlineStyle") == "solid"
    page.keyboard.press("Enter")
    playwright.expect(focused).to_have_attribute("aria-expanded", "true")
    playwright.expect(page.locator("#table .detail").first).to_be_visible()
    page.locator("#standings button").first.focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    assert page.evaluate("document.activeElement.getAttribute('aria-pressed')") == "true"


def describe(results: Any) -> list[str]:
    return [
        f"{violation['id']}: {node['html'][:200]} {node['failureSummary']}"
        for violation in results.response["violations"]
        for node in violation["nodes"]
    ]


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(usual: Path, opened: Open, scheme: Scheme, width: int) -> None:
    page = opened(usual, scheme, width).page
    page.locator("#table .open").first.click()
    page.locator("#standings button").nth(1).click()
    page.wait_for_selector("#standings button:nth-child(2)[aria-pressed=true]")
    page.locator("#table .open").first.click()
    assert describe(axe.Axe().run(page)) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_where_much_is_missing(tmp_path: Path, opened: Open, scheme: Scheme) -> None:
    folder = Sample(variations=("default",)).write(tmp_path)
    folder.metrics.unlink()
    assert describe(axe.Axe().run(opened(write(folder), scheme).page)) == []


def test_printed_the_tools_are_gone_and_the_rows_stay(usual: Path, opened: Open) -> None:
    page = opened(usual, "dark").page
    page.locator("#table .open").first.click()
    page.emulate_media(media="print", color_scheme="dark")
    playwright.expect(page.locator("nav")).to_be_hidden()
    playwright.expect(page.locator("#tools")).to_be_hidden()
    playwright.expect(page.locator("#table .detail").first).to_be_visible()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.pdf()[:5] == b"%PDF-"


def test_hostile_rows_are_shown_and_nothing_of_them_runs(tmp_path: Path, opened: Open) -> None:
    texts = list(HOSTILE.values())[-50:]
    sample = Sample(
        rows=len(texts),
        answer=lambda variation, row: {"answer": texts[row] + variation, texts[row][:40]: variation},
        inputs=lambda row: {"question": texts[row]},
        grade=lambda variation, row, outputs: {"correct": bool(row % 2), "reason": texts[row]},
    )
    folder = sample.write(tmp_path)
    hostile = HOSTILE["end of script"]
    write_verdict(folder, reason=hostile, baseline=None)
    write_comparison(folder, reason=hostile)
    page = opened(write(folder)).page
    buttons = page.locator("#table .open")
    assert buttons.count() == len(texts)
    for index in range(len(texts)):
        buttons.nth(index).click()
    assert page.evaluate("window.pwned") is None
    assert page.locator("main :is(script, iframe, img, object, embed, form, svg:not(.chart))").count() == 0
    assert page.evaluate("performance.getEntriesByType('resource').length") == 0
    shown = page.locator(".value").all_text_contents()
    for name in ("script", "image", "formula", "template", "table"):
        assert HOSTILE[name] in shown
    page.get_by_label("Search").fill("<script>window.pwned")
    playwright.expect(page.locator("#count")).to_have_text("2 of 50 rows")


def test_repeats_are_named(tmp_path: Path, opened: Open) -> None:
    report = opened(write(Sample(rows=2, repeats=2).write(tmp_path)))
    assert sorted(report.rows()) == [f"train {row} (repeat {repeat})" for row in (1, 2) for repeat in (1, 2)]


def test_very_long_answers_are_shown_without_marks(tmp_path: Path, opened: Open) -> None:
    def say(variation: str, row: int) -> Mapping[str, Any]:
        return {"answer": " ".join(f"{variation}{number}" for number in range(1500))}

    page = opened(write(Sample(rows=1, answer=say).write(tmp_path))).page
    page.locator("#table .open").click()
    assert page.locator("#table .detail del").count() == 0
    assert page.locator("#table .detail .value", has_text="brief1499").count() == 1


def test_fifty_thousand_rows_are_usable(tmp_path: Path, opened: Open) -> None:
    folder = Sample(rows=50_000).write(tmp_path)
    file = write(folder)
    report = opened(file)
    report.count("50,000 of 50,000 rows")
    report.page.locator("#standings button", has_text="regressed").click()
    report.count("16,667 of 50,000 rows")
    report.page.get_by_label("Search").fill("why 49998?")
    report.count("1 of 50,000 rows")
    assert report.rows() == ["train 49999"]
    assert file.stat().st_size < 40_000_000
