"""Makes ``index.html``: what each part of the page shows, put into the template."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from llmops_actions import __version__
from llmops_actions.reporting.facts import Facts, quantile
from llmops_actions.reporting.html.packing import PIECE, Packs, budget, deflated, pack_rows
from llmops_actions.reporting.html.tables import (
    comparison_lines,
    figure,
    gate_line,
    latency_scale,
    metric_tables,
    seconds,
    signed,
    usage_lines,
)
from llmops_actions.reporting.overview import Overview
from llmops_actions.reporting.pairing import Baseline, Group, Pairing, groups
from llmops_actions.reporting.results import Results
from llmops_actions.reporting.text import dollars, number, one_line
from llmops_actions.work_folder import RunDocument, VariationRecord, atomic_writer

TEMPLATES = Path(__file__).parent / "page"

_TITLES = {
    "passed": "Passed",
    "failed": "Failed",
    "inconclusive": "Inconclusive",
    "error": "Error",
    None: "No verdict",
}


@dataclass(frozen=True)
class Report:
    """All that a page is made from."""

    results: Results
    baseline: Baseline | None
    facts: Facts
    pairing: Pairing
    overview: Overview
    lineage: Mapping[str, str]
    created_at: datetime


@dataclass(frozen=True)
class Figure:
    """A number under the verdict; ``tone`` is ``bad`` where it is."""

    name: str
    value: str
    tone: str = ""


@dataclass(frozen=True)
class Definition:
    """What a variation sets."""

    name: str
    sets: str


@dataclass(frozen=True)
class _Rows:
    """The rows, to be read as often as they are asked for."""

    report: Report

    def __iter__(self) -> Iterator[Group]:
        return groups(self.report.results, self.report.baseline, self.report.pairing)


def write_page(file: Path, report: Report) -> Packs:
    """Write the page; returns its rows as they were packed."""
    count = sum(report.overview.counts.values())
    packs = pack_rows(_Rows(report), len(report.pairing.sides), budget(count, len(report.pairing.sides)))
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "line": one_line,
        "sentence": sentence,
        "breakable": breakable,
        "figure": figure,
        "signed": signed,
        "count": number,
        "seconds": seconds,
        "dollars": dollars,
        "probability": lambda value: f"{value:.2g}",
        "when": when,
    }
    with atomic_writer(file) as stream:
        stream.writelines(environment.get_template("page.html.j2").generate(page=_page(report, packs)))
    return packs


def sentence(text: str) -> str:
    """A reason as text: the marks that Markdown has for names are left out."""
    return one_line(text, 1000).replace("`", "")


def breakable(text: str) -> Markup:
    """A name that may break after its dots and dashes, where the line is too short."""
    return Markup("<wbr>").join(re.split(r"(?<=[._+/@-])", text))


def when(moment: str | datetime) -> str:
    """A moment in UTC, to the minute; text that is none stays as it is."""
    if isinstance(moment, str):
        try:
            moment = datetime.fromisoformat(moment)
        except ValueError:
            return one_line(moment, 40)
    return moment.astimezone(timezone.utc).strftime("%Y-%m-%d %H:%M UTC") if moment.tzinfo else str(moment)


def _page(report: Report, packs: Packs) -> dict[str, Any]:
    """The names that the template uses."""
    results = report.results
    verdict = results.verdict
    style, script = (TEMPLATES / name for name in ("page.css", "page.js"))
    metrics, left = metric_tables(report.facts)
    return {
        "version": __version__,
        "experiment": results.experiment,
        "environment": results.environment,
        "created_at": report.created_at,
        "verdict": verdict.verdict if verdict else None,
        "verdict_word": verdict.verdict if verdict else "no verdict",
        "verdict_title": _TITLES[verdict.verdict if verdict else None]
        + (" (advisory)" if verdict is not None and verdict.advisory else ""),
        "reason": verdict.reason if verdict else "",
        "against": _against(report),
        "notes": [*results.notes, *(["A stand-in answered instead of a language model."] if _offline(results) else [])],
        "figures": tuple(_figures(report)),
        "default": next((each.name for each in results.variations if each.is_default), None),
        "best": results.comparison.best_variation if results.comparison else None,
        "gates": [gate_line(gate) for gate in verdict.gates] if verdict else [],
        "comparison": results.comparison,
        "comparisons": comparison_lines(results),
        "metrics": metrics,
        "metrics_left": left,
        "several_datasets": len(results.datasets) > 1,
        "usage": usage_lines(report.facts),
        "slowest": seconds(latency_scale(report.facts).high),
        "origin": tuple(_origin(report)),
        "runs": results.runs,
        "definitions": tuple(_definition(each) for each in results.variations),
        "packs": packs,
        "settings": deflated(_settings(report)),
        **_inline("style", style),
        **_inline("script", script),
    }


def _inline(name: str, file: Path) -> dict[str, object]:
    """A file to be put into the page as it is, and its hash, by which the page's policy lets it in."""
    content = file.read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode("ascii")
    return {name: Markup(content), f"{name}_hash": f"sha256-{digest}"}  # noqa: S704 - our own file


def _settings(report: Report) -> dict[str, object]:
    pairing = report.pairing
    return {
        "sides": [one_line(side.label) for side in pairing.sides],
        "baseline": next((number for number, side in enumerate(pairing.sides) if side.is_baseline), None),
        "candidate": pairing.candidate,
        "reference": pairing.reference,
        "watched": list(pairing.watched),
        "piece": PIECE,
    }


def _offline(results: Results) -> bool:
    return any(run.offline for run in results.runs)


def _against(report: Report) -> str:
    verdict, pairing = report.results.verdict, report.pairing
    candidate = one_line(pairing.sides[pairing.candidate].label)
    if verdict is not None and verdict.baseline is not None:
        baseline = verdict.baseline
        kept = (
            ""
            if isinstance(report.baseline, Results)
            else " Its answers are not kept there, so rows show its scores only."
        )
        return (
            f"Variation {candidate} against the baseline {one_line(baseline.source)} (variation "
            f"{one_line(baseline.variation)}, {when(baseline.created_at)}).{kept}"
        )
    if pairing.reference is None:
        return f"Variation {candidate}, with nothing to compare it with."
    reference = one_line(pairing.sides[pairing.reference].label)
    prefix = f"The verdict is on variation {one_line(verdict.variation)}, without a baseline. " if verdict else ""
    return f"{prefix}Rows compare {candidate} with {reference}."


def _figures(report: Report) -> Iterator[Figure]:
    counts, pairing = report.overview.counts, report.pairing
    name = pairing.sides[pairing.candidate].label
    runs = [run for run in report.facts.runs if run.run.variation.name == name]
    failed = sum(run.failed for run in runs)
    yield Figure("Rows", number(sum(counts.values())))
    if pairing.reference is not None:
        regressed = report.overview.regressed
        yield Figure("Regressed", number(regressed), "bad" if regressed else "")
        yield Figure("Improved", number(counts.get("improved", 0)))
    yield Figure("Failed rows", number(failed), "bad" if failed else "")
    costs = [run.run.cost for run in runs]
    yield Figure("Tokens", number(sum(run.tokens for run in runs)))
    yield Figure("Cost", dollars(None if None in costs else sum(cost for cost in costs if cost is not None)))
    durations = sorted(duration for run in runs for duration in run.durations)
    yield Figure("Latency p95", seconds(quantile(durations, 0.95)))


def _definition(variation: VariationRecord) -> Definition:
    sets = [f"{node}: {variant}" for node, variant in variation.variants.items()]
    sets += [
        f"{node}.{name} = {value}"
        for node, values in variation.hyperparameters.items()
        for name, value in values.items()
    ]
    return Definition(variation.name, ", ".join(sets) or "what the flow itself says")


def _origin(report: Report) -> Iterator[tuple[str, str]]:
    runs: tuple[RunDocument, ...] = report.results.runs
    yield "Experiment", report.results.experiment
    yield "Environment", report.results.environment or "none (the experiment file as it is)"
    yield "Flow", f"{runs[0].flow} ({runs[0].flow_kind})"
    yield "Commit", report.lineage.get("commit", "unknown") + (", changed since" if "changed" in report.lineage else "")
    for name in sorted(report.lineage.keys() - {"commit", "changed"}):
        yield name.capitalize(), report.lineage[name]
    yield "Model deployments", ", ".join(sorted({model for run in runs for model in run.usage})) or "none"
    yield "Engine", ", ".join(sorted({run.engine for run in runs}))
    yield "Versions", ", ".join(f"{name} {version}" for name, version in runs[-1].versions.items())
    verdict = report.results.verdict
    if verdict is not None and verdict.baseline is not None:
        lineage = [f"{name} {value}" for name, value in verdict.baseline.lineage.items()]
        yield "Baseline", ", ".join([verdict.baseline.source, *lineage])
