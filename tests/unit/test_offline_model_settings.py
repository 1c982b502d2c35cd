import pytest

from llmops_actions.errors import UsageError
from llmops_actions.platforms.local.offline_model.settings import FAULTS, Settings, parse_fault, parse_faults


@pytest.mark.parametrize("name", FAULTS)
def test_every_known_fault_can_be_written(name: str) -> None:
    assert parse_fault(f"{name}=0.25") == (name, 0.25)


def test_spaces_around_a_fault_do_not_matter() -> None:
    assert parse_fault(" 429 = 1e-2 ") == ("429", 0.01)


def test_an_unknown_fault_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UsageError, match=r"unknown fault 'boom'.*429.*reset.*hang"):
        parse_fault("boom=0.1")


@pytest.mark.parametrize("text", ["429", "429=", "429=often", "429=1.5", "429=-0.1", "429=nan", "=0.1", ""])
def test_a_fault_without_a_probability_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parse_fault(text)


def test_several_faults_become_a_mapping() -> None:
    assert parse_faults(["429=0.1", "reset=0.02"]) == {"429": 0.1, "reset": 0.02}


def test_a_fault_given_twice_is_refused() -> None:
    with pytest.raises(UsageError, match="given twice"):
        parse_faults(["429=0.1", "429=0.2"])


def test_faults_that_add_up_to_more_than_one_are_refused() -> None:
    with pytest.raises(UsageError, match=r"add up to 1\.1"):
        Settings(faults={"429": 0.6, "500": 0.5})


def test_faults_may_leave_no_good_answer() -> None:
    shares = {"400": 0.1, "401": 0.2, "429": 0.7}
    assert Settings(faults=shares).faults == shares


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"latency": -1.0}, "latency"),
        ({"latency": float("inf")}, "latency"),
        ({"jitter": 1.1}, "jitter"),
        ({"jitter": float("nan")}, "jitter"),
        ({"retry_after": -0.5}, "retry-after"),
        ({"port": 65536}, "port"),
        ({"host": "0.0.0.0"}, "loopback"),  # noqa: S104 - it is refused
        ({"host": "example.org"}, "loopback"),
        ({"faults": {"boom": 0.1}}, "unknown fault"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, object], complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint):
        Settings(**settings)  # type: ignore[arg-type]
