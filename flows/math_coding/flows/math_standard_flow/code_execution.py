"""Runs the program that a model wrote, in a child process that can do little more than arithmetic."""

import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from promptflow.core import tool

SANDBOX = Path(__file__).resolve().parent / "sandbox.py"
TIMEOUT_SECONDS = 5.0
LONGEST_CODE = 10_000
MOST_OUTPUT = 4_000


@tool
def code_execution(code: str) -> str:
    """What the program prints, or a line that starts with "Error: " and says why there is nothing.

    Code that is refused or fails is an answer of the model like any other, so the row does not fail.
    """
    if not code.strip():
        return "Error: there is no code"
    if len(code) > LONGEST_CODE:
        return f"Error: the code is longer than {LONGEST_CODE} characters"
    output, problem = run(code)
    printed = output.decode("utf-8", errors="replace").strip()
    if problem:
        return f"Error: {problem}"
    return printed or "Error: the program printed nothing"


def run(code: str, timeout: float = TIMEOUT_SECONDS) -> tuple:
    """The bytes that the program printed, and the reason why it did not end well ("" if it did).

    The child is Python in isolated mode with an empty environment, an empty working directory and the limits of
    `sandbox.py`. It is the leader of its own process group, which is killed at the end whatever happens.
    """
    with tempfile.TemporaryDirectory(prefix="math-coding-") as empty:
        child = subprocess.Popen(
            [sys.executable, "-I", "-S", str(SANDBOX)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=empty,
            env={},
            start_new_session=True,
        )
        try:
            _send(child, code)
            output, problem = _receive(child, time.monotonic() + timeout)
        finally:
            _kill(child)
    return output, problem or _verdict(child.returncode, output)


def _send(child, code: str) -> None:
    try:
        child.stdin.write(code.encode("utf-8", errors="replace"))
        child.stdin.close()
    except BrokenPipeError:
        return


def _receive(child, deadline: float) -> tuple:
    """Everything that the child prints until it ends, it prints too much, or the deadline comes."""
    pieces, size = [], 0
    with selectors.DefaultSelector() as selector:
        selector.register(child.stdout, selectors.EVENT_READ)
        while (left := deadline - time.monotonic()) > 0:
            if not selector.select(left):
                continue
            piece = os.read(child.stdout.fileno(), 4096)
            pieces.append(piece)
            size += len(piece)
            if size > MOST_OUTPUT:
                return b"".join(pieces)[:MOST_OUTPUT], f"the program printed more than {MOST_OUTPUT} bytes"
            if not piece:
                return b"".join(pieces), _end(child, left)
    return b"".join(pieces), "the program took too long"


def _end(child, left: float) -> str:
    try:
        child.wait(left)
    except subprocess.TimeoutExpired:
        return "the program took too long"
    return ""


def _verdict(status: int, output: bytes) -> str:
    if status == 0:
        return ""
    if status in (-signal.SIGXCPU, -signal.SIGKILL):
        return "the program took too long"
    reason = output.decode("utf-8", errors="replace").strip().splitlines()
    return reason[-1] if reason else f"the program ended with status {status}"


def _kill(child) -> None:
    try:
        os.killpg(child.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        child.poll()
    child.wait()
    child.stdout.close()
