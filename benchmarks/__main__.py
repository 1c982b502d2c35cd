"""``python -m benchmarks``: runs cases and writes down what they found, in ``README.md`` and ``results.json``."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks import report, results
from benchmarks.cases import CASES
from benchmarks.cases.case import Bench, Case
from benchmarks.measure import BenchmarkError
from benchmarks.results import CaseResult, Document

HERE = Path(__file__).parent
RESULTS = HERE / "results.json"
README = HERE / "README.md"
DEFAULT_RUNS = 3


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the cases that were named, or all; 1 if a measurement failed, whether or not targets are met."""
    options = _parser().parse_args(arguments)
    if not Path("/proc/self/smaps_rollup").exists():
        print("The benchmarks read memory from /proc/<process>/smaps_rollup, which only Linux has.", file=sys.stderr)
        return 2
    _use_processors(options.processors)
    found: dict[str, CaseResult] = {}
    failed = []
    for name in options.cases or CASES:
        try:
            found[name] = _run(CASES[name], options)
        except BenchmarkError as error:
            failed.append(name)
            print(f"{name} failed: {error}", file=sys.stderr, flush=True)
    if found:
        _show(found, options)
    if failed:
        print(f"Failed: {', '.join(failed)}.", file=sys.stderr)
    return 1 if failed else 0


def _parser() -> argparse.ArgumentParser:
    epilog = "\n".join(["cases:", *(f"  {case.name:<14}{case.summary}" for case in CASES.values())])
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measures llmops side by side with prompt flow's own engine.",
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("cases", nargs="*", type=_case, metavar="case", help="which cases; all by default")
    parser.add_argument(
        "--runs", type=_count, default=DEFAULT_RUNS, help="how often each side is measured (default: %(default)s)"
    )
    parser.add_argument("--processors", type=_count, default=2, help="processors to use at most (default: %(default)s)")
    parser.add_argument(
        "--quick", action="store_true", help="a smoke test: few rows, once each; only shows, writes nothing down"
    )
    return parser


def _case(word: str) -> str:
    if word not in CASES:
        raise argparse.ArgumentTypeError(f"there is no case {word!r}; there are {', '.join(CASES)}")
    return word


def _count(word: str) -> int:
    number = int(word)
    if number < 1:
        raise ValueError(word)
    return number


def _use_processors(most: int) -> None:
    """Bind this process, and all that it starts, to ``most`` processors."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:most])


def _run(case: Case, options: argparse.Namespace) -> CaseResult:
    started = time.monotonic()
    print(f"==> {case.name}: {case.summary}", flush=True)
    with tempfile.TemporaryDirectory(prefix="llmops-bench-", ignore_cleanup_errors=True) as folder:
        bench = Bench(Path(folder), 1 if options.quick else options.runs, options.quick, _say)
        result = case.run(bench)
    _say(f"done in {time.monotonic() - started:.0f} s")
    return result.model_copy(update={"date": results.today(), "revision": results.revision(HERE.parent)})


def _say(text: str) -> None:
    print(f"    {text}", flush=True)


def _show(found: dict[str, CaseResult], options: argparse.Namespace) -> None:
    """Print what was found; unless it was a smoke test, write it down, beside what other cases found before."""
    runs = [] if options.runs == DEFAULT_RUNS else [f"--runs {options.runs}"]
    command = " ".join(["python -m benchmarks", *options.cases, *runs])
    before = None if options.quick else results.read(RESULTS)
    cases = {**(before.cases if before else {}), **found}
    document = Document(
        machine=results.this_machine(), command=command, cases={name: cases[name] for name in CASES if name in cases}
    )
    print(report.render(document))
    if not options.quick:
        results.write(RESULTS, document)
        README.write_text(report.insert(README.read_text(encoding="utf-8"), report.render(document)), encoding="utf-8")
        print(f"\nWritten to {RESULTS.name} and {README.name} in {HERE.name}/.")


if __name__ == "__main__":
    sys.exit(main())
