"""``index.html`` without a browser: what is packed, how large it gets, and that no text becomes markup."""

from __future__ import annotations

import base64
import json
import random
import re
import string
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from tests.unit.reporting.folders import (
    FAILED_GATE,
    RowFailsError,
    Sample,
    interval,
    read,
    write_comparison,
    write_verdict,
)
from tests.unit.reporting.hostile import HOSTILE

from llmops_actions.reporting.facts import Distribution
from llmops_actions.reporting.html.charts import BINS, Scale, distribution_chart, histogram, interval_chart
from llmops_actions.reporting.html.packing import LIMITS, PIECE, deflated, pack_rows
from llmops_actions.reporting.html.page import Report, breakable, when, write_page
from llmops_actions.reporting.html.tables import figure, gate_line, seconds, signed
from llmops_actions.reporting.pairing import Group, Pairing, groups
from llmops_actions.reporting.results import Results, read_baseline
from llmops_actions.work_folder import WorkFolder

NOW = datetime(2026, 1, 2, 5, 0, tzinfo=timezone.utc)


def page(folder: WorkFolder, baseline: Results | None = None) -> str:
    found = read(folder, baseline)
    report = Report(found.results, baseline, found.facts, found.pairing, found.overview, {"commit": "abc"}, NOW)
    write_page(folder.root / "report" / "index.html", report)
    return (folder.root / "report" / "index.html").read_text(encoding="utf-8")


def unpacked(text: str) -> Any:
    return json.loads(zlib.decompress(base64.b64decode(text), wbits=-15))


@dataclass(frozen=True)
class Rows:
    results: Results
    pairing: Pairing

    def __iter__(self) -> Iterator[Group]:
        return groups(self.results, None, self.pairing)


def rows_of(sample: Sample, root: Path) -> Rows:
    found = read(sample.write(root))
    return Rows(found.results, found.pairing)


class Elements(HTMLParser):
    """The elements of a page, and the text outside scripts and styles."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.text = ""
        self._inside = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        self._inside = tag

    def handle_data(self, data: str) -> None:
        if self._inside not in ("script", "style"):
            self.text += data


def test_the_pack_holds_every_row(tmp_path: Path) -> None:
    def answer(variation: str, row: int) -> Mapping[str, Any]:
        if row == 1:
            raise RowFailsError("It broke.")
        return {"answer": "the same", "list": [1, "ä"]}

    packs = pack_rows(rows_of(Sample(rows=PIECE + 2, answer=answer), tmp_path), 2, 1_000_000)
    facts = unpacked(packs.facts)
    assert (packs.rows, packs.limit, packs.shortened) == (PIECE + 2, LIMITS[0], 0)
    assert [len(unpacked(piece)) for piece in packs.texts] == [PIECE, 2]
    assert facts["line"] == list(range(1, PIECE + 3))
    assert facts["sides"][0]["status"][:3] == [1, 2, 1]
    assert facts["sides"][1]["answer"][:3] == [0, -1, 0]
    assert facts["sides"][0]["scores"]["grade.correct"][:3] == [False, None, False]
    key, inputs, answers = unpacked(packs.texts[0])[0]
    names = facts["names"]
    assert key == "0" * 16
    assert [[names[name], text] for name, text in inputs] == [["question", "Why 0?"]]
    assert [[names[name], text] for name, text in answers[0][0]] == [["answer", "the same"], ["list", '[1, "ä"]']]
    assert unpacked(packs.texts[0])[1][2][0][1] == ["RowFailsError in node reply: It broke."]


def test_texts_are_shortened_until_they_fit(tmp_path: Path) -> None:
    noise = random.Random(1)
    texts = ["".join(noise.choices(string.printable, k=3000)) for _ in range(40)]
    rows = rows_of(
        Sample(rows=40, variations=("default",), answer=lambda variation, row: {"answer": texts[row]}), tmp_path
    )
    packs = pack_rows(rows, 1, 60_000)
    assert packs.size <= 60_000
    assert packs.limit < 3000
    assert packs.shortened == 40
    text = unpacked(packs.texts[0])[5][2][0][0][0]
    assert text[1:] == [texts[5][: packs.limit], 3000]


def test_where_nothing_fits_the_shortest_texts_are_kept(tmp_path: Path) -> None:
    packs = pack_rows(rows_of(Sample(rows=300), tmp_path), 2, 10)
    assert packs.limit == LIMITS[-1]
    assert packs.rows == 300


def test_many_rows_of_noise_stay_below_two_megabytes(tmp_path: Path) -> None:
    noise = random.Random(2)

    def answer(variation: str, row: int) -> Mapping[str, Any]:
        return {"answer": "".join(noise.choices(string.printable, k=noise.randint(100, 6000)))}

    folder = Sample(rows=2000, answer=answer, grade=lambda variation, row, outputs: {"facts": noise.random()}).write(
        tmp_path
    )
    page(folder)
    assert (folder.root / "report" / "index.html").stat().st_size <= 2_000_000


def test_hostile_text_is_no_markup(tmp_path: Path) -> None:
    texts = list(HOSTILE.values())

    def sample(say: Any) -> Sample:
        return Sample(
            rows=len(texts),
            answer=lambda variation, row: {"answer": say(row), say(row): variation},
            inputs=lambda row: {"question": say(row)},
            grade=lambda variation, row, outputs: {
                "correct": bool(row % 2),
                f"s{say(1)[:50]}": 0.5,
                "reason": say(row),
            },
        )

    hostile, harmless = (
        sample(lambda row: texts[row]).write(tmp_path / "a"),
        sample(lambda row: "x").write(tmp_path / "b"),
    )
    for folder, text in ((hostile, HOSTILE["end of script"]), (harmless, "x")):
        gate = FAILED_GATE.model_copy(
            update={"rule": text, "reason": text, "test": text, "dataset": text, "policy": text}
        )
        write_verdict(folder, reason=text, gates=(gate,), baseline=text)
        write_comparison(folder, reason=text)
    found, expected = Elements(page(hostile)), Elements(page(harmless))
    assert sorted(set(found.tags)) == sorted(set(expected.tags))
    assert found.tags.count("script") == expected.tags.count("script")
    assert not [name for name, _ in found.attributes if name.startswith("on") or name in ("style", "srcdoc")]
    assert HOSTILE["end of script"] in found.text
    assert [value for name, value in found.attributes if name in ("src", "href")] == [
        value for name, value in expected.attributes if name in ("src", "href")
    ]


def test_the_policy_forbids_the_network_and_names_the_scripts(tmp_path: Path) -> None:
    import hashlib

    text = page(Sample().write(tmp_path))
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)
    assert policy
    assert policy[1].startswith("default-src 'none';")
    assert "unsafe" not in policy[1]
    assert "http" not in policy[1]
    for tag in ("style", 'script type="module"'):
        content = text.split(f"<{tag}>")[1].split(f"</{tag.split()[0]}>")[0]
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policy[1]
    assert not re.search(r"https?://(?!www\.w3\.org)", text)


def test_everything_that_was_decided_is_on_the_page(tmp_path: Path) -> None:
    folder = Sample(datasets=("train", "hard"), logged={"accuracy": 0.67}).write(tmp_path / "now")
    Sample().write(tmp_path / "before")
    write_verdict(folder)
    write_comparison(folder)
    found = read(folder)
    text = " ".join(Elements(page(folder, read_baseline(found.results, tmp_path))).text.split())
    for words in (
        "Failed",
        "1 of 2 gates failed: correct at most 0.02 below the baseline.",
        "Variation brief against the baseline before (variation default, 2026-01-01 00:00 UTC).",
        "correct at most 0.02 below the baseline",
        "\N{MINUS SIGN}0.300 to \N{MINUS SIGN}0.050",
        "Regressed rows: 1. Rows without a partner: 1 here, 0 in the baseline. Failed rows: they count as wrong.",
        "Best: brief. brief is better than the default beyond chance.",
        "Also logged as grade.accuracy.",
        "4 true, 2 false, 0 without",
        "reply.temperature = 0.5",
        "python 3.11.7",
        "before, commit 5f0c1d2",
        "555555555555",
    ):
        assert words in text
    assert "Its answers are not kept there" not in text


def test_a_baseline_without_answers_says_so(tmp_path: Path) -> None:
    folder = Sample().write(tmp_path)
    write_verdict(folder)
    assert "Its answers are not kept there, so rows show its scores only." in page(folder)


def test_without_verdict_and_comparison_the_page_says_so(tmp_path: Path) -> None:
    text = Elements(page(Sample().write(tmp_path))).text
    assert "No verdict" in text
    assert "There is no verdict: gate did not run." in text
    assert "Rows compare brief with default." in text


def test_a_verdict_without_a_baseline_says_what_rows_compare(tmp_path: Path) -> None:
    folder = Sample().write(tmp_path)
    write_verdict(folder, baseline=None)
    assert "The verdict is on variation brief, without a baseline. Rows compare brief with default." in page(folder)


def test_a_single_variation_alone(tmp_path: Path) -> None:
    folder = Sample(variations=("default",), grade=lambda variation, row, outputs: {"facts": 0.5}).write(tmp_path)
    assert "Variation default, with nothing to compare it with." in page(folder)
    folder.metrics.unlink()
    assert "There are no scores: evaluate did not run." in page(folder)


def test_a_run_that_failed_everywhere_has_no_latency(tmp_path: Path) -> None:
    def answer(variation: str, row: int) -> Mapping[str, Any]:
        raise RowFailsError("It broke.")

    text = page(Sample(variations=("default",), answer=answer).write(tmp_path))
    assert text.count('<span class="bad">6</span>') == 1


def test_a_long_list_of_metrics_is_cut_and_says_so(tmp_path: Path) -> None:
    sample = Sample(rows=1, grade=lambda variation, row, outputs: {f"s{number}": 0.5 for number in range(250)})
    text = page(sample.write(tmp_path))
    assert "100 more values are in metrics.csv." in text


@pytest.mark.parametrize(
    ("value", "shown"),
    [(None, "\N{EN DASH}"), (0.5, "0.500"), (0.0, "0.000"), (0.00012, "0.00012"), (1234.5, "1,234.500")],
)
def test_figures(value: float | None, shown: str) -> None:
    assert figure(value) == shown


def test_differences_times_and_moments() -> None:
    assert [signed(value) for value in (None, 0.5, -0.5)] == ["\N{EN DASH}", "+0.500", "\N{MINUS SIGN}0.500"]
    assert [seconds(value) for value in (None, 0.123, 1234.5)] == ["\N{EN DASH}", "0.12 s", "1,234 s"]
    assert when("2026-01-02T03:04:05+02:00") == "2026-01-02 01:04 UTC"
    assert when("yesterday") == "yesterday"
    assert when("2026-01-02T03:04:05") == "2026-01-02 03:04:05"
    assert breakable("a_<b>.c") == "a_<wbr>&lt;b&gt;.<wbr>c"


def test_scales_hold_what_they_are_made_for() -> None:
    scale = Scale.over([0.2, None, 0.6, float("inf")])
    assert (scale.low, scale.high) == (0.2, 0.6)
    assert scale.at(0.2) == 4
    assert scale.at(0.6) == 96
    assert scale.at(-5) == 4
    assert Scale.over([0.3], share=True) == Scale(0.0, 1.0)
    flat = Scale.over([2.0, 2.0])
    assert flat.low < 2 < flat.high
    assert Scale.over([]) == Scale(0.0, 1.0)
    assert Scale.over([0.0]) == Scale(-0.5, 0.5)


def test_an_interval_is_drawn_where_there_is_one() -> None:
    scale = Scale(0, 1)
    assert interval_chart(scale, 0.5, interval(0.25, 0.75), 0.1).count("<line") == 5
    assert interval_chart(scale, 0.5, None).count("<line") == 1
    assert "circle" not in interval_chart(scale, None, None)


def test_a_histogram_counts_every_value() -> None:
    counts = histogram([0.0, 0.01, 0.5, 1.0], Scale(0.0, 1.0))
    assert counts == {0: 2, 10: 1, BINS - 1: 1}
    shares = Distribution()
    for value in (True, True, False):
        shares.add(value, 0)
    assert distribution_chart(shares, 1, Scale(0, 1)).count("<rect") == 3


def test_an_inconclusive_gate_says_what_would_settle_it() -> None:
    gate = FAILED_GATE.model_copy(update={"verdict": "inconclusive"})
    asides = gate_line(gate).asides
    assert "Smallest effect that this many rows show with 80 % power: 0.400." in asides
    assert "Rows that would settle it: about 310." in asides
    said = gate.model_copy(update={"reason": "It could have seen 0.400; 310 rows would settle it."})
    assert not [each for each in gate_line(said).asides if "settle" in each or "power" in each]


def test_what_a_reader_must_know_beside_the_verdict() -> None:
    assert gate_line(FAILED_GATE).tags == ()
    changes = {"verdict": "inconclusive", "on_inconclusive": "pass", "advisory": True, "without_baseline": True}
    assert gate_line(FAILED_GATE.model_copy(update=changes)).tags == ("advisory", "no baseline", "counts as passed")


def test_an_advisory_verdict_says_so(tmp_path: Path) -> None:
    folder = Sample().write(tmp_path)
    write_verdict(folder, advisory=True)
    assert "Failed (advisory)" in page(folder)


def test_a_sweep_without_a_default_is_compared_with_the_highest_mean(tmp_path: Path) -> None:
    folder = Sample().write(tmp_path)
    write_comparison(folder, default="")
    assert "Each variation against the one with the highest mean;" in page(folder)


def test_the_run_on_github_is_in_the_report(tmp_path: Path) -> None:
    found = read(Sample().write(tmp_path))
    lineage = {"commit": "abc", "changed": "yes", "branch": "main"}
    file = tmp_path / "index.html"
    write_page(file, Report(found.results, None, found.facts, found.pairing, found.overview, lineage, NOW))
    text = file.read_text(encoding="utf-8")
    assert "abc, changed since" in text
    assert "<dt>Branch</dt><dd>main</dd>" in text


def test_a_gate_without_a_value_has_no_chart() -> None:
    empty = FAILED_GATE.model_copy(update={"difference": None, "value": None, "interval": None, "regressed": ()})
    assert gate_line(empty).chart == ""


def test_a_pack_is_plain_ascii() -> None:
    assert re.fullmatch(r"[A-Za-z0-9+/=]+", deflated(["</script>", "\ud83d", "\u2028"]))
