"""A test that needs a missing tool says so, and is a failure where everything must run."""

from __future__ import annotations

from pathlib import Path

import pytest

CONFTEST = Path(__file__).parents[2] / "conftest.py"


@pytest.fixture
def suite(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    monkeypatch.delenv("LLMOPS_TEST_ALL", raising=False)
    monkeypatch.setenv("PATH", str(pytester.path))
    pytester.makeconftest(CONFTEST.read_text(encoding="utf-8"))
    pytester.makeini("[pytest]\nmarkers = needs(*tools)\naddopts = -ra --strict-markers\n")
    return pytester


NEEDS_ACT = """
    import pytest

    @pytest.mark.needs("act")
    def test_workflow():
        pass

    def test_plain():
        pass
"""


def test_a_missing_tool_skips_the_test_and_names_the_command(suite: pytest.Pytester) -> None:
    suite.makepyfile(NEEDS_ACT)
    result = suite.runpytest()
    result.assert_outcomes(passed=1, skipped=1)
    result.stdout.fnmatch_lines(["SKIPPED*needs act, which is not here; it comes with: make tools (needs Go)"])
    assert result.ret == 0


def test_a_tool_that_is_there_lets_the_test_run(suite: pytest.Pytester) -> None:
    suite.makepyfile(NEEDS_ACT)
    act = suite.path / "act"
    act.touch(mode=0o755)
    suite.runpytest().assert_outcomes(passed=2)


def test_a_tool_that_nobody_knows_is_an_error(suite: pytest.Pytester) -> None:
    suite.makepyfile("import pytest\n@pytest.mark.needs('frobnicator')\ndef test_it():\n    pass\n")
    suite.runpytest().assert_outcomes(errors=1)


@pytest.mark.parametrize(
    "body",
    [
        NEEDS_ACT,
        "import pytest\ndef test_it():\n    pytest.skip('today')\n",
        "import pytest\npytest.importorskip('no_such_module')\ndef test_it():\n    pass\n",
        "import pytest\n@pytest.mark.skip(reason='never')\ndef test_it():\n    pass\n",
    ],
    ids=["needs", "skip()", "module", "mark"],
)
def test_any_skip_fails_where_everything_must_run(
    suite: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, body: str
) -> None:
    monkeypatch.setenv("LLMOPS_TEST_ALL", "1")
    suite.makepyfile(test_one="def test_fine():\n    pass\n", test_two=body)
    result = suite.runpytest()
    result.stdout.fnmatch_lines(["*skipped, which LLMOPS_TEST_ALL=1 forbids*", "test_two.py*"])
    assert result.ret == 1


def test_a_skip_in_a_worker_process_fails_too(suite: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLMOPS_TEST_ALL", "1")
    suite.makepyfile(NEEDS_ACT)
    assert suite.runpytest("-n", "1").ret == 1


def test_without_a_skip_everything_passes(suite: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLMOPS_TEST_ALL", "1")
    suite.makepyfile("import pytest\n@pytest.mark.xfail\ndef test_it():\n    assert False\n")
    assert suite.runpytest().ret == 0
