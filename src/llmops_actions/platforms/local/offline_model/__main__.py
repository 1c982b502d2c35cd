"""Runs the stand-in model server in the foreground: `python -m llmops_actions.platforms.local.offline_model`.

The first line on standard output is JSON with the server's address. It serves until SIGTERM or SIGINT, or
with `--until-stdin-closes` until standard input ends: so it ends with the process that holds the other end,
however that ends.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence

from llmops_actions.errors import LlmopsError
from llmops_actions.platforms.local.offline_model.foreground import serve_until_stopped
from llmops_actions.platforms.local.offline_model.settings import FAULTS, Settings, parse_faults


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 0 after an orderly end, 2 for wrong words, 3 if it could not listen."""
    try:
        options = _parser().parse_args(arguments)
        settings = _settings(options)
        serve_until_stopped(settings, _announce, until_stdin_closes=options.until_stdin_closes)
    except LlmopsError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0


def _parser() -> argparse.ArgumentParser:
    defaults = Settings()
    parser = argparse.ArgumentParser(
        prog="llmops offline-model",
        description="Serve a deterministic, rule-based stand-in for a language model on loopback.",
    )
    parser.add_argument("--host", default=defaults.host, help="loopback address (default: %(default)s)")
    parser.add_argument("--port", type=int, default=defaults.port, help="0 takes a free one (default: %(default)s)")
    parser.add_argument("--latency", type=float, default=defaults.latency, help="seconds to the first byte")
    parser.add_argument("--jitter", type=float, default=defaults.jitter, help="fraction of the latency, 0 to 1")
    parser.add_argument(
        "--fault",
        action="append",
        default=[],
        metavar="NAME=PROBABILITY",
        help=f"repeatable; names: {', '.join(FAULTS)}",
    )
    parser.add_argument("--seed", type=int, default=defaults.seed, help="decides which requests meet a fault")
    parser.add_argument("--retry-after", type=float, default=defaults.retry_after, help="seconds that a 429 asks for")
    parser.add_argument("--until-stdin-closes", action="store_true", help="end when standard input ends")
    return parser


def _settings(options: argparse.Namespace) -> Settings:
    return Settings(
        host=options.host,
        port=options.port,
        latency=options.latency,
        jitter=options.jitter,
        faults=parse_faults(options.fault),
        seed=options.seed,
        retry_after=options.retry_after,
    )


def _announce(url: str) -> None:
    sys.stderr.write(f"llmops offline-model: a rule-based stand-in, not a language model, at {url}\n")
    sys.stdout.write(json.dumps({"url": url, "pid": os.getpid(), "stand_in": True}) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
