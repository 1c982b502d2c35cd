"""The checks that run a use case's code, in real child processes."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from tests.unit.validation.use_cases import FILES, shown, write

from llmops_actions.errors import InterruptedRunError
from llmops_actions.experiment.connections import Connection
from llmops_actions.experiment.flows import load_flow
from llmops_actions.experiment.validation.sweep import covering_programs
from llmops_actions.outcome import Finding
from llmops_actions.platforms.local.checks.loading import FlowToLoad, load_flow_in_child
from llmops_actions.platforms.local.checks.packages import install_advice
from llmops_actions.platforms.local.checks.processes import ChildProcesses
from llmops_actions.platforms.local.checks.use_case_tests import TestResults, run_tests
from llmops_actions.platforms.local.user_environment import child_environment

TOOL = "from promptflow.core import tool\n\n\n@tool\ndef step(x: str) -> str:\n    return x\n"
NODE = "- name: {0}\n  type: python\n  source: {{type: code, path: {0}.py}}\n  inputs: {{x: '${{inputs.x}}'}}\n"
AOAI = Connection("aoai", "AzureOpenAIConnection", {"api_base": "https://real.example"}, {"api_key": "real"})


def dag(*nodes: str, head: str = "") -> str:
    return f"{head}inputs:\n  x: {{type: string}}\nnodes:\n" + "".join(NODE.format(node) for node in nodes)


def load(
    folder: Path,
    files: Mapping[str, str],
    *,
    timeout: float = 60.0,
    sound: bool = True,
    connections: Mapping[str, Connection] | None = None,
) -> list[Finding]:
    flow = load_flow(write(folder, files))
    target = FlowToLoad(
        "the flow", flow, tuple(covering_programs(flow)), connections or {}, child_environment(os.environ), sound
    )
    with ChildProcesses() as children:
        return load_flow_in_child(target, children, timeout)


def test_a_flow_that_loads_has_no_findings(tmp_path: Path) -> None:
    files = {name.partition("greet/")[2]: text for name, text in FILES.items() if "greet/" in name}
    assert load(tmp_path, files, connections={"aoai": AOAI}) == []


def test_every_file_that_cannot_be_imported_is_named_with_its_line(tmp_path: Path) -> None:
    files = {
        "flow.dag.yaml": dag("missing", "raises", "plain", "twice", "indirect", "leaves", "fine"),
        "missing.py": f"import os\nimport no_such_module_at_all\n{TOOL}",
        "raises.py": f"{TOOL}\nLIMIT = int('many')\n",
        "plain.py": "def step(x): return x\n",
        "twice.py": f"{TOOL}\n\n@tool\ndef other(x: str) -> str:\n    return x\n",
        "indirect.py": f"import helper\n{TOOL}",
        "helper.py": "def broken(:\n",
        "leaves.py": f"import sys\nsys.exit(3)\n{TOOL}",
        "fine.py": TOOL,
    }
    found = shown(load(tmp_path, files))
    advice = install_advice(f"{tmp_path}/requirements.txt")
    assert found[0] == (
        "error missing.py:2 No module named 'no_such_module_at_all'. Name its package in a requirements.txt beside "
        f"the flow. {advice}"
    )
    assert found[1].startswith("error raises.py:8 ValueError: invalid literal for int()")
    assert found[2] == ("error plain.py:1 No function is decorated with `@tool`. Decorate the one that the node calls.")
    assert found[3].startswith("error twice.py:1 More than one function is decorated with `@tool`.")
    assert found[4].startswith("error helper.py:1 SyntaxError: ")
    assert found[5] == "error leaves.py:2 SystemExit: 3"
    assert len(found) == 6


def test_the_command_names_the_flows_requirements(tmp_path: Path) -> None:
    files = {"flow.dag.yaml": dag("a"), "a.py": "import no_such_module_at_all\n", "requirements.txt": "x\n"}
    (found,) = shown(load(tmp_path, files))
    assert found.endswith(
        f"Is `no_such_module_at_all` in requirements.txt? {install_advice(f'{tmp_path}/requirements.txt')}"
    )


def test_two_flows_with_a_helper_of_the_same_name_do_not_mix(tmp_path: Path) -> None:
    for name in ("one", "two"):
        files = {
            "flow.dag.yaml": dag("a"),
            "a.py": f"import helper\nassert helper.NAME == '{name}'\n{TOOL}",
            "helper.py": f"NAME = '{name}'\n",
        }
        assert load(tmp_path / name, files) == []


def test_an_included_file_is_named_where_it_stands(tmp_path: Path) -> None:
    write(tmp_path, {"shared/broken.py": "\nraise RuntimeError('no')\n"})
    files = {
        "flow.dag.yaml": dag("a", head="additional_includes: [../shared]\n"),
        "a.py": "from shared import broken\n",
    }
    (found,) = load(tmp_path / "flow", files)
    assert found.location is not None
    assert (found.location.file, found.location.line) == (tmp_path / "shared/broken.py", 2)
    assert found.message == "RuntimeError: no"


def test_what_only_prompt_flow_knows_is_said_at_the_node(tmp_path: Path) -> None:
    flow = dag("a") + "- name: b\n  type: python\n  source: {type: package, tool: no.such.tool}\n  inputs: {}\n"
    (found,) = shown(load(tmp_path, {"flow.dag.yaml": flow, "a.py": TOOL}))
    assert found.startswith("error flow.dag.yaml:10 Loading the flow (the flow) fails: PackageToolNotFoundError: ")
    assert load(tmp_path, {"flow.dag.yaml": flow, "a.py": TOOL}, sound=False) == []


def test_a_module_that_never_ends_is_given_up(tmp_path: Path) -> None:
    files = {"eval_a.py": "def eval_a(): ...\nint('x')\n", "eval_b.py": "def eval_b(): ...\nwhile True: pass\n"}
    first, second = shown(load(tmp_path, files, timeout=5))
    assert first.startswith("error eval_a.py:2 ValueError")
    assert second == (
        "error eval_a.py:1 Loading the flow took longer than 5 seconds. Move what runs at import into a function."
    )


def test_a_module_that_ends_its_process(tmp_path: Path) -> None:
    files = {"flow.dag.yaml": dag("a"), "a.py": "import os, sys\nprint('last words', flush=True)\nos._exit(7)\n"}
    assert shown(load(tmp_path, files)) == [
        "error flow.dag.yaml:1 Loading the flow ended its process (exit code 7). last words"
    ]


def test_user_code_runs_in_another_process_and_gets_no_request(tmp_path: Path) -> None:
    code = "import os, sys\nopen('seen', 'w').write(f'{os.getpid()} {sys.stdin.read()!r}')\n"
    assert load(tmp_path, {"flow.dag.yaml": dag("a"), "a.py": code + TOOL}) == []
    process, rest = (tmp_path / "seen").read_text(encoding="utf-8").split(" ", 1)
    assert int(process) != os.getpid()
    assert rest == "''"
    assert "__pf_main__" not in sys.modules


ENTRY = """\
    class Entry:
        def __init__(self, limit: str):
            self.limit = int(limit)

        def __call__(self, x: str) -> str:
            return x
    """


def test_a_constructor_that_fails_is_an_error(tmp_path: Path) -> None:
    files = {"flow.flex.yaml": "entry: entry:Entry\n", "entry.py": ENTRY}
    assert load(tmp_path / "fine", {**files, "init.json": '{"limit": "3"}'}) == []
    (found,) = shown(load(tmp_path / "bad", {**files, "init.json": '{"limit": "many"}'}))
    assert found.startswith("error entry.py:3 Loading the flow (the flow) fails: ValueError: invalid literal")


def test_a_constructor_that_refuses_a_placeholder_is_a_warning(tmp_path: Path) -> None:
    files = {"flow.flex.yaml": "entry: entry:Entry\n", "entry.py": ENTRY, "init.json": '{"limit": "${LIMIT}"}'}
    (found,) = shown(load(tmp_path, files))
    assert found.startswith("warning entry.py:3 ")
    assert found.endswith("It was given placeholders instead of keys and addresses.")


def test_a_constructor_gets_placeholders_for_whatever_is_secret(tmp_path: Path) -> None:
    code = """\
        class Entry:
            def __init__(self, settings: dict, shop: str):
                raise ValueError(f"{settings} {shop}")

            def __call__(self, x: str) -> str:
                return x
        """
    init = '{"settings": {"key": "${KEY}", "more": ["${KEY}", 1], "api_base": "https://real.example"}, "shop": "s"}'
    files = {"flow.flex.yaml": "entry: entry:Entry\n", "entry.py": code, "init.json": init}
    shop = Connection("shop", "CustomConnection", {"url": "u"}, {"token": "real"})
    (found,) = shown(load(tmp_path, files, connections={"shop": shop, "aoai": AOAI}))
    assert found.startswith("warning entry.py:3 ")
    assert "'key': 'http://127.0.0.1:9', 'more': ['http://127.0.0.1:9', 1]" in found
    assert "real" not in found


def test_a_report_of_loading_that_user_code_wrote_into(tmp_path: Path) -> None:
    code = """\
        import contextlib, os

        SAID = b'nonsense\\n{"step": "module", "line": "x"}\\n{"step": "module", "message": "odd"}\\n'
        for descriptor in range(3, 40):
            with contextlib.suppress(OSError):
                os.write(descriptor, SAID)


        def eval_a(x): ...
        """
    assert [finding.message for finding in load(tmp_path, {"eval_a.py": code})] == [": odd"]


def test_no_time_at_all(tmp_path: Path) -> None:
    (found,) = shown(load(tmp_path, {"eval_a.py": "def eval_a(x): ...\n"}, timeout=0.001))
    assert found.startswith("error eval_a.py:1 Loading the flow took longer than 0.001 seconds.")


def test_a_flex_module_that_cannot_be_imported(tmp_path: Path) -> None:
    files = {"flow.flex.yaml": "entry: entry:call\n", "entry.py": "import no_such_module_at_all\ndef call(x): ...\n"}
    (found,) = shown(load(tmp_path, files))
    assert found.startswith("error entry.py:1 No module named 'no_such_module_at_all'.")


def test_functions_and_prompty_files(tmp_path: Path) -> None:
    functions = {"eval_a.py": "import no_such_module_at_all\ndef eval_a(x): ...\n", "eval_b.py": "def eval_b(x): ...\n"}
    (found,) = shown(load(tmp_path / "functions", functions))
    assert found.startswith("error eval_a.py:1 No module named")
    assert load(tmp_path / "fine", {"eval_b.py": "def eval_b(x): ...\n"}) == []
    head = "model:\n  api: chat\n  configuration: {connection: aoai}\ninputs:\n  x: {type: string}\n"
    prompty = f"---\n{head}---\nuser:\n{{{{x}}}}\n"
    assert load(tmp_path / "prompty", {"x.prompty": prompty}, connections={"aoai": AOAI}) == []


def run_the_tests(folder: Path, files: Mapping[str, str], timeout: float = 60.0) -> TestResults:
    write(folder, {"pytest.ini": "[pytest]\n", **files})
    with ChildProcesses() as children:
        return run_tests(folder, child_environment(os.environ), children, timeout)


def test_the_tests_of_a_use_case_are_counted_and_named(tmp_path: Path) -> None:
    results = run_the_tests(
        tmp_path,
        {
            "tests/test_a.py": """\
                import os
                from pathlib import Path

                import pytest


                def test_fine():
                    assert Path.cwd() == Path(__file__).parents[1]
                    assert "GITHUB_OUTPUT" not in os.environ


                @pytest.mark.skip
                def test_later(): ...


                def test_wrong():
                    print("::error::not for you")
                    assert 1 == 2


                @pytest.fixture
                def broken():
                    raise RuntimeError("no fixture")


                def test_without_fixture(broken): ...


                def test_elsewhere():
                    int("x".join("ab"))
                """,
            "tests/test_b.py": "import no_such_module_at_all\n",
        },
    )
    assert (results.passed, results.failed, results.skipped) == (0, 1, 0)
    (only,) = shown(results.findings)
    assert only.startswith("error test_b.py:1 tests/test_b.py fails: ")
    assert "no_such_module_at_all" in only
    (tmp_path / "tests/test_b.py").unlink()
    results = run_the_tests(tmp_path, {})
    assert (results.passed, results.failed, results.skipped) == (1, 3, 1)
    assert [line.split(": ")[0] for line in shown(results.findings)] == [
        "error test_a.py:18 tests/test_a.py::test_wrong fails",
        "error test_a.py:23 tests/test_a.py::test_without_fixture fails",
        "error test_a.py:30 tests/test_a.py::test_elsewhere fails",
    ]


def test_a_use_case_without_tests(tmp_path: Path) -> None:
    assert shown(run_the_tests(tmp_path / "a", {}).findings, notices=True) == ["notice a The use case has no tests/."]
    (tmp_path / "b/tests").mkdir(parents=True)
    assert shown(run_the_tests(tmp_path / "b", {}).findings) == [
        "warning tests tests/ holds no test. Name the files test_*.py."
    ]


def test_pytest_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert shown(run_the_tests(tmp_path, {"tests/test_a.py": ""}).findings) == [
        (
            "error tests The use case has tests, but pytest is not installed. Install it: "
            f"{sys.executable} -m pip install pytest; or: --no-tests"
        )
    ]


def test_tests_that_never_end(tmp_path: Path) -> None:
    results = run_the_tests(tmp_path, {"tests/test_a.py": "def test_a():\n    while True: pass\n"}, timeout=4)
    assert shown(results.findings) == ["error tests The tests took longer than 4 seconds and were ended."]


def test_pytest_that_cannot_start(tmp_path: Path) -> None:
    results = run_the_tests(tmp_path, {"tests/test_a.py": "", "pytest.ini": "[pytest]\naddopts = --no-such-option\n"})
    (found,) = shown(results.findings)
    assert found.startswith("error tests pytest ended with exit code 4: ")


def test_a_report_that_user_code_wrote_into_is_read_as_far_as_it_makes_sense(tmp_path: Path) -> None:
    code = """\
        import os


        def test_a():
            with open(os.environ["LLMOPS_TEST_REPORT"], "a") as report:
                report.write('nonsense\\n[1]\\n{"kind": "failure"}\\n{"kind": "counts", "passed": "all"}\\n')
        """
    results = run_the_tests(tmp_path, {"tests/test_a.py": code})
    assert (results.passed, results.findings) == (1, ())


def test_the_environment_of_a_child_has_no_way_to_the_runner() -> None:
    given = {"PATH": "p", "GITHUB_ENV": "e", "GITHUB_TOKEN": "t", "ACTIONS_RUNTIME_TOKEN": "r", "INPUT_X": "i"}
    assert child_environment(given) == {"PATH": "p", "GITHUB_TOKEN": "t"}


def test_output_is_kept_to_its_end_and_a_child_takes_its_children_with_it(tmp_path: Path) -> None:
    code = (
        "import subprocess, sys\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        "print('x' * 100_000, child.pid)\n"
    )
    with ChildProcesses() as children:
        ended = children.run([sys.executable, "-c", code], tmp_path, os.environ, 60)
    assert ended.code == 0
    assert len(ended.output) == 20_000
    process = int(ended.output.split()[-1])
    assert _soon(lambda: not _runs(process))


def _runs(process: int) -> bool:
    state = Path(f"/proc/{process}/stat")
    return state.is_file() and state.read_text(encoding="ascii").rpartition(") ")[2][0] != "Z"


def _soon(condition: Callable[[], bool]) -> bool:
    """Whether `condition` comes true within half a minute."""
    deadline = time.monotonic() + 30
    while not condition():
        if time.monotonic() > deadline:
            return False
        threading.Event().wait(0.01)
    return True


def test_leaving_kills_what_still_runs_and_starts_nothing_more(tmp_path: Path) -> None:
    ended = []
    children = ChildProcesses()
    code = "open('started', 'w').close()\nimport time; time.sleep(600)"
    waiting = threading.Thread(
        target=lambda: ended.append(children.run([sys.executable, "-c", code], tmp_path, os.environ, 500))
    )
    with children:
        waiting.start()
        assert _soon((tmp_path / "started").exists)
    waiting.join(30)
    assert [each.code for each in ended] == [-9]
    with pytest.raises(InterruptedRunError):
        children.run([sys.executable, "-c", ""], tmp_path, os.environ, 5)


def test_a_child_that_reads_nothing(tmp_path: Path) -> None:
    with ChildProcesses() as children:
        ended = children.run([sys.executable, "-c", "pass"], tmp_path, os.environ, 60, b"x" * 1_000_000)
    assert ended.code == 0


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a child with its parent")
def test_no_child_outlives_a_parent_that_was_killed(tmp_path: Path) -> None:
    child = (
        "from llmops_actions.platforms.local.checks.processes import end_with_parent\n"
        "import os, time\nend_with_parent()\n"
        "open('started.part', 'w').write(str(os.getpid()))\nos.replace('started.part', 'started')\ntime.sleep(600)\n"
    )
    parent = (
        "from llmops_actions.platforms.local.checks.processes import ChildProcesses\n"
        "from pathlib import Path\nimport os, sys\n"
        f"ChildProcesses().run([sys.executable, '-c', {child!r}], Path('.'), os.environ, 600)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", parent], cwd=tmp_path)
    try:
        assert _soon((tmp_path / "started").exists)
    finally:
        process.kill()
        process.wait()
    assert _soon(lambda: not _runs(int((tmp_path / "started").read_text(encoding="ascii"))))
