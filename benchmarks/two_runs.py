"""Runs ``bulk-run`` twice in one process and writes down how long each took: arguments use case, work folder, file."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from llmops_actions.cli import main as llmops


def main() -> int:
    """Cold, then warm; the exit code of the first that fails."""
    use_case, work_folder, file = sys.argv[1:]
    seconds = []
    for _ in range(2):
        started = time.perf_counter()
        code = llmops(["bulk-run", use_case, "--work-dir", work_folder, "--quiet"])
        seconds.append(time.perf_counter() - started)
        if code:
            return code
    Path(file).write_text(json.dumps(seconds))
    return 0


if __name__ == "__main__":
    sys.exit(main())
