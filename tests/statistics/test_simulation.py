"""The promises of docs/statistics.md: held by simulation with a fixed seed, and the page by what it gives."""

from __future__ import annotations

import numpy as np
import pytest
from benchmarks.statistics.exact import coverage, outcomes, tango_limits
from benchmarks.statistics.scenarios import SCENARIOS, Scenario
from benchmarks.statistics.simulation import SIZES, alike, error_of, worse
from benchmarks.statistics.tables import TABLES, committed

cases = [pytest.param(scenario, n, id=f"{scenario.name}, {n} rows") for scenario in SCENARIOS for n in SIZES]
QUICK = ("decide", "rows", "same", "paired")

pytestmark = pytest.mark.timeout(600)


@pytest.mark.slow
@pytest.mark.parametrize(("scenario", "n"), cases)
def test_equal_runs_raise_no_more_false_alarms_than_allowed(scenario: Scenario, n: int) -> None:
    result = alike(scenario, n)
    allowed = 0.05 + 3 * error_of(0.05)
    assert result.significant < allowed
    assert result.tested < allowed
    # A gate promises half of that on its one side, and only where the truth lies at the margin.
    assert result.failed < 0.025
    assert result.covered > 0.935


@pytest.mark.slow
@pytest.mark.parametrize(("scenario", "n"), cases)
def test_the_detectable_drop_is_detected(scenario: Scenario, n: int) -> None:
    result = worse(scenario, n)
    assert result.seen > 0.8 - 3 * error_of(0.8)
    assert 0.935 - 3 * error_of(0.95) < result.covered < 0.965 + 3 * error_of(0.95)


@pytest.mark.slow
def test_naive_gates_do_raise_them() -> None:
    """What the simulation finds wrong is there to be found."""
    by_name = {scenario.name: scenario for scenario in SCENARIOS}
    assert alike(by_name["boolean, 20 % of the rows flip"], 30).naive_failed > 0.3
    assert alike(by_name["boolean, 3 repeats"], 100).naive_significant > 0.1


@pytest.mark.parametrize("name", [pytest.param(n, marks=() if n in QUICK else pytest.mark.slow) for n in TABLES])
def test_the_committed_table_is_what_the_simulation_gives(name: str) -> None:
    assert committed(name) == TABLES[name](), f"run python -m benchmarks.statistics {name}"


@pytest.mark.parametrize("discordance", [0.1, 0.2, 0.4])
def test_tango_keeps_the_level_exactly_counted(discordance: float) -> None:
    assert 0.94 < coverage(tango_limits, 100, discordance / 2, discordance / 2) < 0.965
    for drop in (discordance, discordance / 2):
        gained, lost = (discordance - drop) / 2, (discordance + drop) / 2
        passed, failed = outcomes(tango_limits, 100, gained, lost, drop)
        assert passed < 0.028
        assert failed < 0.042


def test_exact_counting_counts_everything() -> None:
    passed, failed = outcomes(lambda n, gained, lost: (0.0, 0.0), 40, 0.1, 0.2, 0.5)
    assert passed == pytest.approx(1, abs=1e-4)
    assert failed == 0
    by_chance = np.random.default_rng(1).multinomial(40, [0.1, 0.2, 0.7], size=20_000)
    simulated = np.mean([tango_limits(40, gained, lost)[0] > -0.25 for gained, lost, _ in by_chance])
    assert outcomes(tango_limits, 40, 0.1, 0.2, 0.25)[0] == pytest.approx(simulated, abs=0.015)
