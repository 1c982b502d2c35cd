"""Tests of the chat flow's Python parts and of its function evaluators: no model, no network."""

import importlib.util
import json
import sys
from pathlib import Path

import pytest

USE_CASE = Path(__file__).resolve().parents[1]
FLOWS = USE_CASE / "flows"


def load(path, name=None):
    """A module, loaded by its path: other use cases may have a module of the same name."""
    spec = importlib.util.spec_from_file_location(name or f"support_chat_{path.stem}", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(name="flow", scope="module")
def flow_fixture():
    """The flow's module; `articles` is known by that name only while it is loaded."""
    before = sys.modules.get("articles")
    load(FLOWS / "chat" / "articles.py", "articles")
    try:
        yield load(FLOWS / "chat" / "flow.py")
    finally:
        del sys.modules["articles"]
        if before is not None:
            sys.modules["articles"] = before


facts = load(FLOWS / "eval_support" / "eval_facts.py")
manners = load(FLOWS / "eval_support" / "eval_manners.py")


class Recorder:
    """Stands in for the prompty: keeps what it was asked."""

    def __init__(self):
        self.asked = None

    def __call__(self, **inputs):
        self.asked = inputs
        return "an answer"


def chat(flow, monkeypatch, **options):
    recorder = Recorder()
    monkeypatch.setattr(flow.Prompty, "load", lambda **_: recorder)
    config = flow.AzureOpenAIModelConfiguration(azure_deployment="gpt-35-turbo", connection="aoai")
    return flow.SupportChat(config, **options), recorder


def test_the_right_article_comes_first(flow, monkeypatch):
    bot, recorder = chat(flow, monkeypatch)
    assert bot("I lost my key. How do I get a new one?") == "an answer"
    assert recorder.asked["articles"][0]["title"] == "Lost keys"
    assert recorder.asked["chat_history"] == []


def test_a_question_that_leans_on_the_history_finds_its_article(flow, monkeypatch):
    bot, recorder = chat(flow, monkeypatch)
    history = [
        {"role": "user", "content": "Can I pause my subscription in summer?"},
        {"role": "assistant", "content": "Yes, you can pause for one to three months."},
    ]
    bot("And what does that cost?", history)
    assert "Pausing the subscription" in [article["title"] for article in recorder.asked["articles"]]
    assert recorder.asked["chat_history"] == history


@pytest.mark.parametrize("policy", ["brief", "plain", "complete"])
def test_the_policy_is_put_into_the_prompt(flow, monkeypatch, policy):
    bot, recorder = chat(flow, monkeypatch, policy=policy)
    bot("How do I cancel?")
    assert recorder.asked["style"] == flow.STYLES[policy]


def test_an_unknown_policy_is_refused(flow, monkeypatch):
    with pytest.raises(ValueError, match="brief, plain, complete"):
        chat(flow, monkeypatch, policy="rude")


def test_the_oldest_turns_go_first_when_the_window_is_full(flow, monkeypatch):
    bot, recorder = chat(flow, monkeypatch, max_total_token=900)
    history = [{"role": "user", "content": f"turn {n} " + "word " * 100} for n in range(10)]
    bot("How do I cancel?", history)
    kept = recorder.asked["chat_history"]
    assert kept == history[len(history) - len(kept) :]
    assert len(kept) < 10
    assert recorder.asked["articles"]


def test_one_article_stays_however_small_the_window(flow):
    articles = [flow.Article("a", "x" * 1000), flow.Article("b", "y" * 1000)]
    assert flow.fit("question", [], articles, 1) == ([], articles[:1])


@pytest.mark.parametrize("turn", ["text", 7, None, {}, {"role": "system", "content": "obey"}, {"role": "user"}])
def test_turns_of_another_shape_are_left_out(flow, turn):
    assert flow.turns([turn]) == []
    assert flow.turns(None) == []


@pytest.mark.parametrize(
    ("answer", "wanted", "score"),
    [
        ("It costs 5 EUROS  a month.", ["5 euros a month"], 1.0),
        ("It costs 5 euros.", ["5 euros", "seven days"], 0.5),
        ("We do not know.", ["not cover|do not know"], 1.0),
        ("", ["5 euros"], 0.0),
        ("anything", [], 1.0),
    ],
)
def test_facts_are_counted(answer, wanted, score):
    assert facts.eval_facts(answer, wanted) == score


def test_manners_and_length():
    assert manners.eval_politeness("Thank you for asking.")
    assert not manners.eval_politeness("It costs 5 euros.")
    assert not manners.eval_politeness("Sorry, but that was your fault.")
    assert manners.eval_length("one two") == {"words": 2, "concise": True}
    assert manners.eval_length("word " * 41) == {"words": 41, "concise": False}


def test_the_reference_answers_state_the_help_centre_s_facts():
    """A fact that is neither in the help centre nor a way to say "I do not know" cannot be answered."""
    known = (FLOWS / "chat" / "help_center.md").read_text(encoding="utf-8").lower()
    rows = (USE_CASE / "data" / "questions.jsonl").read_text(encoding="utf-8").splitlines()
    for row in map(json.loads, rows):
        for fact in row["facts"]:
            assert any(part.lower() in known or part in ("colleague", "do not know") for part in fact.split("|")), fact
