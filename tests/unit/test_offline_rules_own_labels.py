"""Prompts as users write them, with labels of their own: the stand-in answers with one of those labels."""

from __future__ import annotations

import json
import statistics
import time

import pytest

from llmops_actions.platforms.local.offline_model.rules import answer
from llmops_actions.platforms.local.offline_model.rules.label_lists import Search, find_listing
from llmops_actions.platforms.local.offline_model.types import ChatRequest, Message

TICKETS = {
    "billing": "I was charged twice on my last invoice",
    "bug": "The app crashes when I open the settings",
    "question": "How do I export my data?",
}
ORDER = "Classify the following support message into one of the following categories: billing, bug, question"


def ask(*messages: tuple[str, str], model: str = "gpt-35-turbo", response_format: str | None = None) -> str:
    parts = tuple(Message(role, content) for role, content in messages)
    return answer(ChatRequest(parts, model, 0.0, None, response_format, (), None))


PROMPTS = (
    (ORDER, "{}"),
    ("", ORDER + "\n\n{}"),
    ("", ORDER + ".\n\nMessage: {}\nCategory:"),
    ("", ORDER + ": {}"),
    ("", "{}\n\n" + ORDER),
    ("You are a classifier.", ORDER + "\n\nSupport message: {}"),
    ("Classify the ticket.\n\nCategories:\n- billing\n- bug\n- question\n\nReply with the category only.", "{}"),
    ("", "Classify the ticket.\n\n1. billing\n2. bug\n3. question\n\nTicket: {}"),
    ("", 'A message:\n"""\n{}\n"""\nWhich of these labels fits? Labels: "billing", "bug", "question"'),
    ("", "The labels are billing, bug and question. Label this text:\n{}"),
    ("You are a support agent of customers. Pick one of [billing, bug, question] for each message.", "{}"),
    ("Classify each message as `billing`, `bug`, or `question`.", "{}"),
    ("Classify into billing (money), bug (defects) or question (how to).", "Message: {}"),
    ("Category: one of billing | bug | question", "{}"),
    ("Classify into: billing/bug/question", "<message>{}</message>"),
)


@pytest.mark.parametrize(("system", "user"), PROMPTS)
@pytest.mark.parametrize(("label", "text"), TICKETS.items())
def test_the_answer_is_one_of_the_listed_labels(system: str, user: str, label: str, text: str) -> None:
    messages = [("system", system)] if system else []
    assert ask(*messages, ("user", user.format(text))) == label


@pytest.mark.parametrize(
    ("order", "form"),
    [
        (ORDER + '. Reply as JSON: {"category": "..."}', '{"category": "bug"}'),
        (
            'Reply with JSON that fits {"type": "object", "properties": {"label": {"enum": ["billing", "bug"]}}}',
            '{"label": "bug"}',
        ),
        ('Return {"intent": "billing|bug|question"}', '{"intent": "bug"}'),
        (ORDER + ". Reply with JSON with the key `topic`.", '{"topic": "bug"}'),
        (ORDER + '. Reply with JSON: a "sentiment".', '{"sentiment": "bug"}'),
        (ORDER + ". Reply with JSON.", '{"category": "bug"}'),
        (ORDER + '.\nRespond in the format "Answer: <category>".', "Answer: bug"),
        (ORDER + '.\nStart your reply with "Category: ".', "Category: bug"),
        (ORDER + ".\nReply as <label>...</label>.", "<label>bug</label>"),
        ("Classify it.\nOptions:\nA) billing\nB) bug\nC) question\nAnswer with the letter only.", "B"),
        ("Classify the message.\nOptions:\nA) billing\nB) bug\nC) question", "bug"),
    ],
)
def test_the_answer_has_the_form_that_is_asked_for(order: str, form: str) -> None:
    assert ask(("system", order), ("user", TICKETS["bug"])) == form


def test_more_keys_get_a_reason_and_a_confidence() -> None:
    order = ORDER + '. JSON: {"reason": "...", "category": "...", "confidence": 0.5}'
    found = json.loads(ask(("system", order), ("user", TICKETS["bug"])))
    assert found["category"] == "bug"
    assert set(found) == {"category", "reason", "confidence"}
    assert 0 <= found["confidence"] <= 1


DESCRIBED = "Categories:\nalpha: invoices, refunds\nbeta: crashes, errors\ngamma: keyboards"
SHOWN = (
    "Classify into red, green, blue.\n\n"
    "Text: the frobnicator hums\nLabel: red\n\nText: gizmo leaks oil\nLabel: green\n\n"
)
TURNS = (("user", "the frobnicator hums"), ("assistant", "red"), ("user", "gizmo leaks oil"), ("assistant", "green"))


@pytest.mark.parametrize(
    ("messages", "label"),
    [
        ((("system", "Classify.\n" + DESCRIBED), ("user", "I want my refund")), "alpha"),
        ((("user", "Classify.\n" + DESCRIBED + "\n\nText: It shows errors\nLabel:"),), "beta"),
        ((("user", SHOWN + "Text: my gizmo lost oil\nLabel:"),), "green"),
        ((("user", SHOWN + "Text: hums like a frobnicator\nLabel:"),), "red"),
        (
            (("user", "Classify as red or green.\nExamples:\nit hums -> red\nit leaks oil -> green\n\nlost oil ->"),),
            "green",
        ),
        ((("system", "Classify into red, green, blue."), *TURNS, ("user", "my gizmo lost oil")), "green"),
        (
            (
                ("system", 'Classify into red, green.\n\nText: it hums\n{"c": "red"}\n\nText: oil\n{"c": "green"}'),
                ("user", "it lost oil"),
            ),
            "green",
        ),
    ],
)
def test_descriptions_and_examples_speak_for_their_label(messages: tuple[tuple[str, str], ...], label: str) -> None:
    assert label in ask(*messages)


@pytest.mark.parametrize(
    ("order", "text", "label"),
    [
        ("Classify into red, green, blue.", "qwerty", "red"),
        ("Classify into red, green, other.", "qwerty", "other"),
        ("Classify into red, green, N/A.", "qwerty", "N/A"),
        ("Determine whether the email is spam or ham.", "You won a prize, click here to claim", "spam"),
        ("Determine whether the email is spam or ham.", "See you at lunch", "ham"),
        ("Is this email spam or not spam?", "See you at lunch", "not spam"),
        ("Is the review positive or negative?", "Great food and friendly staff.", "positive"),
        ("Is the review positive or negative?", "The food was not good.", "negative"),
        ("Is the sentiment either positive or negative?", "Great food.", "positive"),
        ("Classify the sentiment as POSITIVE, NEGATIVE or NEUTRAL.", "The parcel has two sides.", "NEUTRAL"),
        ("Set the priority: one of urgent, normal, low", "Production is down, fix it immediately", "urgent"),
        ("Set the priority: one of urgent, normal, low", "hm hm", "normal"),
        ("Route the ticket to billing, technical support, or sales team.", "I get an error", "technical support"),
        ("Your task is to assign a topic (sports, politics) to the headline.", "Team won the cup", "sports"),
        ("Find the department. Departments: HR, IT, Finance", "How long is parental leave?", "HR"),
        ("Does the message ask for a refund? Answer yes or no.", "Please refund my order", "yes"),
        ("Does the message ask for a refund? Answer yes or no.", "What are your hours?", "no"),
        ("Is the message urgent? Reply with TRUE or FALSE.", "Fix it immediately", "TRUE"),
    ],
)
def test_common_labels_questions_and_nothing_to_go_by(order: str, text: str, label: str) -> None:
    assert ask(("system", order), ("user", text)) == label


@pytest.mark.parametrize(
    ("order", "text", "score"),
    [
        ("Rate the sentiment of this review from 1 to 5.", "Excellent, wonderful, I love it", "5"),
        ("How satisfied is the customer (1-5)?", "Terrible, awful, the worst", "1"),
        ("On a scale of 1 to 5, how positive is the text? Reply with the number.", "The parcel has two sides", "3"),
        ("Rate the review. Answer 1, 2, 3, 4 or 5.", "Excellent, wonderful, I love it", "5"),
        ("How urgent is it? Give a number between 0 and 10.", "Production down, critical emergency", "10"),
        ("Rate how negative it is on a scale of 1 to 5.", "Excellent, wonderful, I love it", "1"),
        ('Rate it from 1 (bad) to 5 (good). Reply with JSON: {"rating": 3}', "Excellent, wonderful", '{"rating": 5}'),
    ],
)
def test_a_rating_is_on_the_scale_of_the_prompt(order: str, text: str, score: str) -> None:
    assert ask(("system", order), ("user", text), model="gpt-4o") == score


@pytest.mark.parametrize(
    "text",
    [
        "You are a helpful assistant.",
        "Say what it is.",
        "What is the capital of France?",
        "You classify web pages: is it an app, a paper, a video, or a shop?",
        "Answer the customer. If the help centre does not say it, say so.",
        "Classify the page: what kind is it?",
    ],
)
def test_a_prompt_without_labels_lists_none(text: str) -> None:
    assert find_listing(text) is None


def test_rules_in_bullet_points_are_no_labels() -> None:
    listing = find_listing("Rules:\n- Be brief\n- Be kind\n\nCategories: billing, bug")
    assert listing is not None
    assert [label.name for label in listing.labels] == ["billing", "bug"]


def test_an_answer_of_two_words_does_not_make_a_support_prompt_a_classifier() -> None:
    assert find_listing("Answer politely or briefly.", Search.STRICT) is None


@pytest.mark.parametrize(
    "flood", ["- a\n", "a, ", "one of ", "label: ", "(a/", '"a": "b" ', "{", "a -> ", "\n", "not "]
)
def test_a_flood_is_answered_in_time_that_grows_with_its_length(flood: str) -> None:
    text = flood * (50_000 // len(flood))
    started = time.perf_counter()
    assert ask(("system", ORDER), ("user", text))
    assert ask(("user", f"{ORDER}\n\n{text}"))
    assert ask(("system", f"Classify it. {text}"), ("user", "x"))
    assert time.perf_counter() - started < 4


def test_an_answer_takes_less_than_a_millisecond() -> None:
    """Half of it is the aim; the rest is for a busy machine."""
    took = []
    for number in range(20):
        for text in TICKETS.values():
            started = time.perf_counter()
            ask(("system", ORDER), ("user", f"{text} {number}"))
            took.append(time.perf_counter() - started)
    assert statistics.median(took) < 0.001


def test_a_null_character_is_a_blank() -> None:
    assert find_listing("Classify as red (a\x000\x00) or \x005.") is not None
