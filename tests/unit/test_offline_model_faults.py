from collections import Counter

import pytest

from llmops_actions.platforms.local.offline_model.bounded import LeastRecentlyUsed
from llmops_actions.platforms.local.offline_model.faults import Fates
from llmops_actions.platforms.local.offline_model.settings import FAULTS, Settings

CONTENTS = [f"row {number}".encode() for number in range(400)]


def faults_of(settings: Settings, contents: list[bytes]) -> dict[bytes, str | None]:
    fates = Fates(settings)
    return {content: fates.draw(content).fault for content in contents}


def test_the_order_of_arrival_changes_no_fault() -> None:
    settings = Settings(faults={"429": 0.2, "reset": 0.2})
    assert faults_of(settings, CONTENTS) == faults_of(settings, CONTENTS[::-1])


def test_the_order_in_which_faults_are_given_changes_nothing() -> None:
    one = Settings(faults={"429": 0.2, "reset": 0.2})
    other = Settings(faults={"reset": 0.2, "429": 0.2})
    assert faults_of(one, CONTENTS) == faults_of(other, CONTENTS)


def test_another_seed_gives_other_faults() -> None:
    shares = {"429": 0.5}
    drawn = [faults_of(Settings(faults=shares, seed=seed), CONTENTS) for seed in (0, 1, -1, 10**40)]
    assert all(one != other for one in drawn for other in drawn if one is not other)


def test_a_repeated_request_draws_anew_and_the_same_in_every_run() -> None:
    settings = Settings(faults={"500": 0.5})
    first, second = (Fates(settings) for _ in range(2))
    draws = [first.draw(b"row").fault for _ in range(40)]
    assert set(draws) == {None, "500"}
    assert draws == [second.draw(b"row").fault for _ in range(40)]


def test_each_fault_comes_as_often_as_asked() -> None:
    share = 0.05
    fates = Fates(Settings(faults=dict.fromkeys(FAULTS, share)))
    drawn = Counter(fates.draw(str(number).encode()).fault for number in range(20_000))
    # Six standard deviations of a binomial of 20,000 draws at 5 % are 185.
    assert all(abs(drawn[name] - 1000) < 185 for name in FAULTS)


def test_without_jitter_every_answer_takes_the_latency() -> None:
    fates = Fates(Settings(latency=0.2))
    assert {fates.draw(content).delay for content in CONTENTS} == {0.2}


def test_jitter_spreads_the_latency_over_its_fraction() -> None:
    fates = Fates(Settings(latency=2.0, jitter=0.25))
    delays = [fates.draw(content).delay for content in CONTENTS]
    assert min(delays) >= 1.5
    assert max(delays) <= 2.5
    assert max(delays) - min(delays) > 0.9
    assert sum(delays) / len(delays) == pytest.approx(2.0, abs=0.1)


@pytest.mark.parametrize(("fault", "delay"), [("slow", 2.0), ("429", 0.0), ("503", 0.2), ("reset", 0.2)])
def test_a_fault_has_its_own_delay(fault: str, delay: float) -> None:
    fate = Fates(Settings(latency=0.2, faults={fault: 1.0})).draw(b"row")
    assert fate.fault == fault
    assert fate.delay == pytest.approx(delay)


def test_a_content_that_is_forgotten_starts_again() -> None:
    settings = Settings(faults={"500": 0.5})
    remembering, forgetting = Fates(settings), Fates(settings, remembered=1)
    draws = [remembering.draw(b"row").fault for _ in range(40)]
    forgotten: list[str | None] = []
    for _ in range(40):
        forgotten.append(forgetting.draw(b"row").fault)
        forgetting.draw(b"another")
    assert forgotten == [draws[0]] * 40


def test_the_mapping_forgets_what_was_used_longest_ago() -> None:
    values: LeastRecentlyUsed[str, int] = LeastRecentlyUsed(2)
    values.put("a", 1)
    values.put("b", 2)
    assert values.get("a") == 1
    values.put("c", 3)
    assert [values.get(key) for key in "abc"] == [1, None, 3]
    assert len(values) == 2
