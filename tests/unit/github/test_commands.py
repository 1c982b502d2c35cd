"""Workflow commands: ours take effect with exactly what they carry, nobody else's do."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.github.corpus import CORPUS
from tests.unit.github.runner import read_log

from llmops_actions.github.commands import WorkflowLog
from llmops_actions.github.masking import Secrets
from llmops_actions.reporting.text import plain

hostile = pytest.mark.parametrize("text", CORPUS.values(), ids=CORPUS)


def log() -> tuple[WorkflowLog, io.StringIO]:
    stream = io.StringIO()
    return WorkflowLog(stream), stream


def harmless(text: str) -> str:
    return plain(text).replace("##[", "#\u200b#[")


@hostile
def test_a_command_carries_any_text(text: str) -> None:
    writer, stream = log()
    writer.command("error", text, title=text, file=text)
    [command] = read_log(stream.getvalue()).commands
    assert (command.name, command.message) == ("error", harmless(text))
    assert command.properties == {"title": harmless(text), "file": harmless(text)}


@given(st.text(st.sampled_from(":%,=#[] \r\nAD025abc\x1b"), min_size=1), st.text())
def test_a_command_carries_text_that_nobody_thought_of(message: str, title: str) -> None:
    writer, stream = log()
    title = f"[{title}]"
    writer.command("warning", message, title=title)
    [command] = read_log(stream.getvalue()).commands
    assert command.message == harmless(message)
    assert command.properties == {"title": harmless(title)}


@hostile
def test_no_line_is_a_command_while_they_are_stopped(text: str) -> None:
    writer, stream = log()
    writer.stop()
    writer.line(text)
    stream.write(f"{text}\n")  # a child of the step, past our own log
    writer.resume()
    read = read_log(stream.getvalue())
    assert read.commands == []
    assert harmless(text).splitlines()[0] in "\n".join(read.text)


def test_our_own_commands_work_while_the_others_are_stopped() -> None:
    writer, stream = log()
    writer.stop()
    stream.write("::error::forged\n")
    writer.group("first")
    stream.write("::error::forged\n")
    writer.group("second")
    stream.write("::error::forged\n")
    writer.end_group()
    stream.write("::error::forged\n")
    writer.resume()
    writer.command("notice", "ours")
    read = read_log(stream.getvalue())
    assert [(command.name, command.message) for command in read.commands] == [
        ("group", "first"),
        ("endgroup", ""),
        ("group", "second"),
        ("endgroup", ""),
        ("notice", "ours"),
    ]
    assert read.text.count("::error::forged") == 4


def test_a_token_that_was_seen_is_worth_nothing() -> None:
    writer, stream = log()
    writer.stop()
    token = stream.getvalue().strip().removeprefix("::stop-commands::")
    writer.group("first")
    stream.write(f"::{token}::\n::error::forged\n")
    writer.end_group()
    writer.resume()
    assert read_log(stream.getvalue()).annotations == []


def test_secrets_are_masked_by_the_runner_and_left_out_by_us() -> None:
    writer, stream = log()
    writer.mask(Secrets.of(["s3cret-value", "two lines\nof a key", 'with "quotes"']))
    writer.stop()
    writer.line("the key is s3cret-value")
    writer.resume()
    writer.command("error", 'with "quotes" and of a key', title="s3cret-value")
    read = read_log(stream.getvalue())
    masked = {command.message for command in read.named("add-mask")}
    assert masked == {"s3cret-value", "two lines\nof a key", "two lines", "of a key", 'with "quotes"'}
    assert read.commands[: len(masked)] == read.named("add-mask")
    assert "the key is ***" in read.text
    assert (read.annotations[0].message, read.annotations[0].properties["title"]) == ("*** and ***", "***")
