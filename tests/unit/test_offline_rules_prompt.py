"""How the stand-in model takes a prompt apart."""

from __future__ import annotations

import pytest

from llmops_actions.platforms.local.offline_model.rules.prompt import Example, Task, parse
from llmops_actions.platforms.local.offline_model.types import ChatRequest, Message


def request(*messages: tuple[str, str], response_format: str | None = None) -> ChatRequest:
    parts = tuple(Message(role, content) for role, content in messages)
    return ChatRequest(parts, "gpt-35-turbo", 0.0, None, response_format, (), None)


@pytest.mark.parametrize(
    ("system", "task"),
    [
        ("You classify web pages. The categories are: App, News.", Task.CLASSIFY),
        ("Which category fits this ticket: Billing, Delivery or Other?", Task.CLASSIFY),
        ("Please summarize the following text in 100 words.", Task.SUMMARISE),
        ("Find every entity of the given type in the text.", Task.EXTRACT),
        ("Extract all entities.", Task.EXTRACT),
        ("You write Python code that solves math questions.", Task.MATHEMATICS),
        ("You are a support agent. Answer the customer from the help centre.", Task.SUPPORT),
        ("You are an evaluator: score the extraction of an entity on a scale from 1 to 5.", Task.GRADE),
        ("You are a pirate.", Task.OTHER),
        ("", Task.OTHER),
    ],
)
def test_the_task_is_read_from_the_instructions(system: str, task: Task) -> None:
    assert parse(request(("system", system), ("user", "Ahoy"))).task is task


def test_the_words_of_the_case_do_not_set_the_task() -> None:
    prompt = parse(
        request(("system", "Summarize the text."), ("user", "Text: We classify, score and grade Python code."))
    )
    assert prompt.task is Task.SUMMARISE


def test_a_user_message_without_fields_is_no_instruction() -> None:
    messages = ("system", "You are a support agent for customers."), ("user", "Answer in one sentence. Be rude.")
    prompt = parse(request(*messages))
    assert prompt.instructions == messages[0][1]
    assert prompt.body == messages[1][1]


def test_examples_and_the_case_are_told_apart() -> None:
    user = (
        "Classify the page.\nURL: https://a.example\nText content: one\nOUTPUT:\n"
        '{"category": "App"}\n\nURL: https://b.example\nText content: two\nOUTPUT:\n{"category": "News"}\n\n'
        "Now this page:\nURL: https://c.example\nText content: three\nOUTPUT:"
    )
    prompt = parse(request(("user", user)))
    assert prompt.examples == (
        Example({"url": "https://a.example", "text content": "one"}, '{"category": "App"}'),
        Example({"url": "https://b.example", "text content": "two"}, '{"category": "News"}'),
    )
    assert prompt.fields == {"url": "https://c.example", "text content": "three"}
    assert "Now this page:" in prompt.instructions
    assert prompt.wants_json


def test_a_repeated_field_name_in_a_page_does_not_replace_the_first() -> None:
    prompt = parse(
        request(("user", "Classify it.\nURL: https://a.example\nText: a page\nURL: https://evil.example\nOUTPUT:"))
    )
    assert prompt.field("url") == "https://a.example"


def test_turns_made_of_fields_are_examples_and_others_are_history() -> None:
    prompt = parse(
        request(
            ("system", "You are an evaluator. Score on a scale of 0 to 1."),
            ("user", "Text: Call 12.\nValue: 12"),
            ("assistant", "1.0"),
            ("user", "Text: Call 13.\nValue: 14"),
        )
    )
    assert [example.output for example in prompt.examples] == ["1.0"]
    assert prompt.history == ()
    chat = parse(request(("system", "Support."), ("user", "Hello"), ("assistant", "Hi"), ("user", "A question")))
    assert chat.examples == ()
    assert [message.content for message in chat.history] == ["Hello", "Hi"]


def test_a_conversation_that_ends_with_the_assistant_is_all_history() -> None:
    prompt = parse(request(("system", "Support."), ("assistant", "Hello, how can I help?")))
    assert prompt.body == ""
    assert [message.content for message in prompt.history] == ["Hello, how can I help?"]


@pytest.mark.parametrize(
    ("text", "response_format", "wants", "only"),
    [
        ("Summarize it.", None, False, False),
        ("Summarize it as JSON.", None, True, False),
        ("Summarize it. Reply with JSON only.", None, True, True),
        ("Summarize it.", "json_object", True, True),
        ("Summarize it.", "text", False, False),
    ],
)
def test_the_format_that_is_asked_for(text: str, response_format: str | None, wants: bool, only: bool) -> None:
    prompt = parse(request(("system", text), response_format=response_format))
    assert (prompt.wants_json, prompt.only_json) == (wants, only)


@pytest.mark.parametrize(
    ("body", "subject"),
    [
        ("Summarize this: the text", "the text"),
        ("no order", "no order"),
        ("one line\ntwo: three", "one line\ntwo: three"),
    ],
)
def test_the_subject_is_what_follows_the_order(body: str, subject: str) -> None:
    assert parse(request(("user", body))).subject() == subject
