"""What the stand-in model answers: better prompts, models and temperatures must really do better."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmops_actions.platforms.local.offline_model.rules import answer
from llmops_actions.platforms.local.offline_model.rules.chance import slip_rate
from llmops_actions.platforms.local.offline_model.rules.classify import labels
from llmops_actions.platforms.local.offline_model.rules.problems import program_for
from llmops_actions.platforms.local.offline_model.types import ChatRequest, Message

LARGE = "gpt-4o"


def ask(
    user: str,
    *,
    system: str = "",
    history: Iterable[tuple[str, str]] = (),
    model: str = LARGE,
    temperature: float = 0.0,
    response_format: str | None = None,
    seed: int | None = None,
) -> str:
    parts = [("system", system)] if system else []
    messages = tuple(Message(role, content) for role, content in [*parts, *history, ("user", user)])
    return answer(ChatRequest(messages, model, temperature, None, response_format, (), seed))


# Classification

PAGES = {
    "App": "Install it for Android and iOS; the widget needs two permissions.",
    "News": "The minister said on Tuesday that police told our reporter nothing.",
    "Shopping": "Add to cart, the price includes shipping; in stock, two years of warranty.",
    "Academic": "Abstract: we propose a method; the dataset and a citation are given in the journal.",
}
LISTED = "Classify the page. The categories are: App, News, Shopping, Academic or None.\n"


def page(text: str, url: str = "https://page.example/1") -> str:
    return f"URL: {url}\nText content: {text}\nOUTPUT:"


@pytest.mark.parametrize(("category", "text"), PAGES.items())
def test_a_clear_page_gets_its_category(category: str, text: str) -> None:
    assert ask(page(text), system=LISTED) == category


def test_a_page_of_no_kind_is_none() -> None:
    assert ask(page("Closed on Mondays."), system=LISTED) == "None"


def test_without_a_list_names_are_near_misses_more_often_than_not() -> None:
    texts = [f"{text} Number {number}." for text in PAGES.values() for number in range(20)]
    named = [ask(page(text), system="Classify the page: what kind is it?") for text in texts]
    exact = sum(name in PAGES for name in named)
    assert 0 < exact < len(texts) * 0.6


def test_an_example_teaches_words_that_nobody_else_knows() -> None:
    system = "Classify the ticket. The categories are: Alpha, Beta or None."
    example = "Text: the frobnicator hums and the gizmo leaks oil\nOUTPUT:\nBeta\n\n"
    case = "Text: my frobnicator and gizmo leak oil\nOUTPUT:"
    assert ask(case, system=system) == "None"
    assert ask(example + case, system=system) == "Beta"


@pytest.mark.parametrize("output", ['{"category": "Beta"}', '"Beta"', "Beta."])
def test_an_example_may_be_json_or_a_bare_label(output: str) -> None:
    system = "Classify the ticket. The categories are: Alpha, Beta or None. Reply as bare text."
    example = f"Text: the frobnicator hums and the gizmo leaks oil\nOUTPUT:\n{output}\n\n"
    assert "Beta" in ask(f"{example}Text: my frobnicator and gizmo leak oil\nOUTPUT:", system=system)


def test_a_description_teaches_too() -> None:
    system = "Classify the ticket:\n- Alpha: invoices, refunds and payment by card\n- Beta: broken pedals and brakes\n"
    assert ask("Text: The refund of my payment by card\nOUTPUT:", system=system) == "Alpha"
    assert ask("Text: brakes and pedals are broken\nOUTPUT:", system=system) == "Beta"


@pytest.mark.parametrize(
    ("text", "url", "evidence"),
    [
        (PAGES["App"], "https://page.example/1", "Text content"),
        ("Tap to begin.", "https://play.example/store/apps/1", "Url"),
        (PAGES["App"], "https://play.example/store/apps/1", "Both"),
    ],
)
def test_the_evidence_is_where_the_signs_were(text: str, url: str, evidence: str) -> None:
    system = f'{LISTED}The "evidence" must be within "Url", "Text content", and "Both". Reply with JSON only.'
    assert json.loads(ask(page(text, url), system=system)) == {"category": "App", "evidence": evidence}


def test_json_comes_bare_only_when_that_is_asked_for() -> None:
    def bare(order: str, **options: str) -> int:
        answers = [ask(page(f"{PAGES['App']} {n}"), system=LISTED + order, **options) for n in range(60)]  # type: ignore[arg-type]
        return sum(text.startswith("{") for text in answers)

    assert bare("Reply with JSON only.") == 60
    assert bare("Reply as JSON.", response_format="json_object") == 60
    assert 20 < bare("Reply as JSON.") < 60


@pytest.mark.parametrize(
    ("instructions", "names"),
    [
        (
            "one of the following categories:\nMovie, App, PDF or None based on the text.",
            ["Movie", "App", "PDF", "None"],
        ),
        ('The "category" must be within "Movie", "App" and "None".', ["Movie", "App", "None"]),
        ("Categories:\n- Movie: a film\n- None: else", ["Movie", "None"]),
        ("1. Billing\n2. Delivery", ["Billing", "Delivery"]),
        ("Say what it is.", []),
    ],
)
def test_the_labels_are_found_in_the_prompt(instructions: str, names: list[str]) -> None:
    assert [label.name for label in labels(instructions)] == names


# Summaries

TEXT = "The harbour opens at dawn. Boats bring herring and crab. The auction starts at six. Visitors pay two euros."


def test_a_summary_says_nothing_that_the_text_does_not() -> None:
    summary = ask(f"Text: {TEXT}\nSummary:", system="Summarize the text in 12 words.")
    assert len(summary.split()) <= 12
    assert summary
    assert all(word in TEXT for word in summary.split())


def test_one_sentence_is_the_lead_and_key_terms_cover_the_whole() -> None:
    assert ask(f"Text: {TEXT}\nSummary:", system="Summarize the text in one sentence.") == "The harbour opens at dawn."
    terms = ask(f"Text: {TEXT}\nSummary:", system="Summarize the key terms as bullet points.")
    assert terms.splitlines()[-1] == "- Visitors pay two euros"


def test_an_empty_text_is_said_to_be_empty() -> None:
    assert ask("Text:\nSummary:", system="Summarize the text.") == "The text is empty."


def test_an_order_without_fields_is_not_part_of_the_summary() -> None:
    assert ask("Summarize in two sentences: The sun rose. It rained.") == "The sun rose. It rained."


def test_a_summary_sometimes_loses_a_sentence() -> None:
    texts = [f"Day {n}. {TEXT}" for n in range(60)]
    options = {"system": "Summarize the text in 100 words.", "model": "gpt-35-turbo", "temperature": 1.0}
    whole = [ask(f"Text: {text}\nSummary:", **options) == text for text in texts]  # type: ignore[arg-type]
    assert 0 < whole.count(False) < 30


def test_a_title_before_a_name_ends_no_sentence() -> None:
    assert (
        ask("Text: We met Dr. Lopez. She left.\nSummary:", system="Summarize in one sentence.") == "We met Dr. Lopez."
    )


# Entities

PLAIN = "Find every entity of the given type. Reply with a comma separated list and nothing else, or None."
RULES = f"{PLAIN} Write it exactly as it is written in the text, leave out honorifics, give the whole title."


def find(kind: str, text: str, system: str = RULES) -> str:
    return ask(f"Entity type: {kind}\nText: {text}\nEntities:", system=system)


@pytest.mark.parametrize(
    ("kind", "text", "entities"),
    [
        ("people's full name", "Dr. Maria Lopez met Ben Okafor and Lars.", "Maria Lopez, Ben Okafor"),
        ("person", "Nobody came.", "None"),
        ("job title", "The senior data analyst met the head of sales.", "senior data analyst, head of sales"),
        ("company", "She left Nordwind GmbH for Quarrel Ltd.", "Nordwind GmbH, Quarrel Ltd"),
        ("location", "From Oslo she went to Blue Lake.", "Oslo, Blue Lake"),
        ("date", "It starts on 3 May 2026 or on Monday.", "3 May 2026, Monday"),
        ("phone number", "Call (030) 555 0112.", "(030) 555 0112"),
        ("email address", "Write to sales@shop.example.", "sales@shop.example"),
        ("amount of money", "It cost $4,200 or 300 euros.", "$4,200, 300 euros"),
    ],
)
def test_entities_of_a_type(kind: str, text: str, entities: str) -> None:
    assert find(kind, text) == entities


def test_rules_of_writing_keep_what_vague_prompts_lose() -> None:
    texts = [f"Dr. Maria Lopez signed at Nordwind GmbH on {day} May 2026." for day in range(1, 29)]
    for kind, wanted in (("person", "Maria Lopez"), ("company", "Nordwind GmbH"), ("date", "{day} May 2026")):
        exact = [wanted.format(day=day) for day in range(1, 29)]
        careful = sum(find(kind, text) == one for text, one in zip(texts, exact, strict=True))
        plain = sum(find(kind, text, PLAIN) == one for text, one in zip(texts, exact, strict=True))
        assert careful > plain > 0


def test_titles_are_shortened_unless_the_whole_title_is_asked_for() -> None:
    texts = [f"A senior data analyst joined on day {n}." for n in range(40)]
    plain = [find("job title", text, PLAIN) for text in texts]
    assert {"analyst", "senior data analyst"} == set(plain)
    assert {find("job title", text) for text in texts} == {"senior data analyst"}


def test_an_unknown_type_is_read_as_a_person() -> None:
    assert find("villain", "Maria Lopez met nobody.") == "Maria Lopez"


def test_a_vague_prompt_gets_prose() -> None:
    system = "You extract entities."
    answers = {ask(f"Entity type: person\nText: Maria Lopez has {n} cats.", system=system) for n in range(20)}
    assert "Maria Lopez" in answers
    assert "The text mentions the following person: Maria Lopez." in answers


def test_entities_as_json() -> None:
    found = find("person", "Maria Lopez met Ben Okafor.", f"{RULES} Reply with a JSON list.")
    assert json.loads(found) == ["Maria Lopez", "Ben Okafor"]


# Mathematics

CODER = (
    'You write Python programs for math questions. Print the result. Import what you use. JSON only: {"code": "..."}'
)


def compute(question: str) -> object:
    program = program_for(question, several_steps=True)
    lines = [f"import {program.module}"] if program.module else []
    names: dict[str, object] = {}
    exec("\n".join([*lines, *program.lines, f"result = {program.result}"]), names)  # noqa: S102 - no model wrote it
    return names["result"]


@pytest.mark.parametrize(
    ("question", "result"),
    [
        ("What is 12 * (3 + 4)?", 84),
        ("What is 20% of 45?", 9),
        ("A coat of 50 euros is reduced by 10 percent. What does it cost?", 45),
        ("Solve 4x - 3 = 13.", 4),
        ("What is the smaller root of x^2 - 5x + 6 = 0?", 2),
        ("What is the area of a square with side 5?", 25),
        ("What is the perimeter of a square with side 5?", 20),
        ("What is the perimeter of a triangle with sides 3, 4 and 5?", 12),
        ("What is the circumference of a circle with diameter 2? Round to two decimals.", 6.28),
        ("What is the volume of a sphere with radius 3? Round to 1 decimal.", 113.1),
        ("What is the volume of a cone with radius 3 and height 4? Round to two decimals.", 37.7),
        ("What is the volume of a box of 2 by 3 by 4?", 24),
        ("What is the volume of a cube with edge 3?", 27),
        ("What is the sum of the first five odd integers?", 25),
        ("What is the sum of the integers from 3 to 6?", 18),
        ("What is the sum of all primes up to 10?", 17),
        ("How long do 90 km take at 45 km/h speed?", 2),
        ("What is the square root of 144?", 12),
        ("Convert 20 Celsius to Fahrenheit.", 68),
        ("How many hours are 90 minutes?", 1.5),
        ("Divide 30 in the ratio 1:2. What is the smaller share?", 10),
        ("What is the integral of x^2 from 0 to 3?", 9),
        ("2000 euros earn 3 percent interest for 2 years. How much is it?", 2121.8),
        ("Eve has 20 nuts and gives 3 nuts to each of 4 friends. How many are left?", 8),
        ("He sells 3 eggs at 2 euros each and 2 cakes at 5 euros each.", 16),
        ("How many apples are 3 and 4?", 7),
        ("Pens cost 3 each. What do 4 cost?", 12),
        ("What is the meaning of it?", 0),
        ("What is the derivative of x^2 + x at x = 3?", 7),
        ("What is the slope of a hill?", 0),
        ("Is 3 = 4?", 7),
        ("What is the volume of a cylinder with radius 1 and height 2? Round to two decimals.", 6.28),
        ("What is the area of a triangle with base 3 and height 4?", 6),
        ("What is the 10th Fibonacci number? Take 10.", 55),
        ("In how many ways can 2 cards be chosen from 5?", 10),
        ("What is 4 factorial?", 24),
        ("What simple interest do 100 euros earn at 5 percent in 2 years?", 10),
        ("How much interest do 100 euros earn?", 100),
        ("How far is it in 2 hours at 30 km/h?", 60),
        ("How fast is a train that travels 90 km in 2 hours?", 45),
        ("How many cows are 5 and 6?", 11),
        ("Convert 4 apples.", 4),
        ("Two dice are thrown. What is the probability that the sum is 7?", 0.17),
        ("A coin is tossed 3 times. What is the probability of exactly 1 head?", 0.375),
        ("What is the ratio of 4 and 2?", 6),
        ("Ann gives 2 to each of 3 friends.", 6),
        ("Six pens cost 9 euros. What do 10 pens cost?", 15),
        ("What is the distance between (0, 0) and (3, 4)?", 5),
        ("What is the hypotenuse of 3 and 4?", 5),
        ("What is the average of 2, 4 and 9?", 5),
        ("What is the median of 2, 4 and 9?", 4),
        ("What is the range of 2, 4 and 9?", 7),
        ("What is the gcd of 12 and 18?", 6),
        ("What is the lcm of 4 and 6?", 12),
        ("What is the sum of the digits of 123?", 6),
        ("What is the remainder of 17 by 5?", 2),
        ("What is the area of a circle with radius 1? Round to two decimals.", 3.14),
        ("A book has 100 pages. Tom reads 10 pages a day for 3 days. How many are left?", 70),
    ],
)
def test_questions_become_programs(question: str, result: float) -> None:
    assert compute(question) == pytest.approx(result, abs=0.05)


def test_habits_of_the_prompt_show_in_the_program() -> None:
    questions = [f"What is the area of a circle with radius {radius}?" for radius in range(1, 41)]

    def share(system: str, sign: str) -> int:
        return sum(sign in ask(f"QUESTION: {question}\nCODE:", system=system) for question in questions)

    vague = "You are good at math and Python."
    assert share(CODER, "print(") == share(CODER, "import math") == 40
    assert 10 < share(vague, "print(") < 40
    assert 5 < share(vague, "import math") < 40
    assert 20 < share(vague, "```python") < 40


def test_the_program_rounds_as_the_question_wishes() -> None:
    code = ask("QUESTION: What is the area of a circle with radius 2? Round to two decimals.\nCODE:", system=CODER)
    assert "round(math.pi * 2 ** 2, 2)" in code


def test_several_steps_are_seen_through_only_step_by_step() -> None:
    question = "A tank of 600 litres loses 12 litres a day. How many are left after 20 days?"
    assert program_for(question, several_steps=True).result == "600 - 12 * 20"
    assert program_for(question, several_steps=False).result == "600 - 12 - 20"


# Support

SHOP = (
    "You are a polite support agent. Answer the customer's question from the help centre. "
    "If it does not say, say so. {}\n"
    "## Returns\nReturns are free within 30 days. Print the label in your account.\n"
    "## Delivery\nDelivery takes three days. It costs 4 euros. Islands take a week.\n"
)


def test_the_answer_is_as_long_as_the_prompt_asks() -> None:
    lengths = [
        len(ask("How long does delivery take?", system=SHOP.format(style)).split())
        for style in ("Answer in one short sentence.", "", "Give a complete answer.")
    ]
    assert lengths == sorted(set(lengths))
    assert "three days" in ask("How long does delivery take?", system=SHOP.format("Give a complete answer."))


def test_a_slip_answers_from_another_article() -> None:
    found = [ask(f"How long does delivery take, {n}?", system=SHOP.format(""), temperature=2.0) for n in range(60)]
    assert 0 < sum("Returns are free" in text for text in found) < 30


def test_what_the_articles_do_not_say_is_admitted() -> None:
    assert "does not cover" in ask("Who won the race in Gent?", system=SHOP.format(""))
    assert "does not cover" in ask("Who won?", system="You are a support agent for customers.")


def test_a_follow_up_leans_on_the_history() -> None:
    question, system = "How many days?", SHOP.format("Answer in one short sentence.")
    returns = [("user", "I want to return it."), ("assistant", "Of course.")]
    delivery = [("user", "Is delivery slow?"), ("assistant", "It is not.")]
    assert "Returns are free within 30 days" in ask(question, system=system, history=returns)
    assert "Delivery takes three days" in ask(question, system=system, history=delivery)


def test_a_context_without_headings_is_one_article() -> None:
    system = "Answer the question of the customer."
    found = ask(
        "Context: The lift is out of order. Use the stairs.\nQuestion: Is the lift out of order?", system=system
    )
    assert found.startswith("The lift is out of order.")


def test_a_rude_question_does_not_change_the_manners() -> None:
    found = ask("Be brief. How long does delivery take?", system=SHOP.format(""))
    assert found.startswith("Thank you for your question.")


# Grading

GRADER = "You are an evaluator. Score the answer on a scale from 1 to 5."


def grade(given: str) -> int:
    return int(
        ask(
            f"Question: What does it cost?\nAnswer: {given}\nReference answer: It costs 5 euros a month.", system=GRADER
        )
    )


def test_better_answers_score_higher() -> None:
    assert grade("It costs 5 euros a month, with pleasure.") == 5
    assert grade("It costs something.") < 5
    assert grade("") == 1


def test_a_grade_as_json_has_a_reason() -> None:
    found = json.loads(ask("Question: What costs it?\nAnswer: It costs 5.", system=f"{GRADER} JSON only."))
    assert set(found) == {"score", "reason"}


def test_an_entity_is_graded_by_its_type() -> None:
    system = "You are an evaluator. Score the extraction on a scale of 0 to 1."
    text = "Maria Lopez lives in Oslo."

    def value(given: str) -> str:
        return ask(f"Text: {text}\nEntity: people's full name\nValue: {given}", system=system)

    assert [float(value(given)) for given in ("Maria Lopez", "Maria", "Oslo")] == [1.0, 0.5, 0.0]


# Everything


def test_what_is_no_known_task_gets_an_echo_that_names_the_stand_in() -> None:
    found = ask("What is the capital of France?", system="You are a pirate.", model="gpt-x")
    assert "stand-in" in found
    assert "not gpt-x" in found
    assert "capital of France" in found
    assert "stand-in" in answer(ChatRequest((), "m", 0.0, None, None, (), None))


def test_the_same_request_gets_the_same_answer_and_another_seed_may_not() -> None:
    def answers(seed: int | None) -> list[str]:
        texts = [f"{text} {n}" for text in PAGES.values() for n in range(30)]
        return [ask(page(text), system=LISTED, temperature=2.0, model="gpt-35-turbo", seed=seed) for text in texts]

    assert answers(1) == answers(1)
    assert answers(1) != answers(2)


def test_larger_models_and_lower_temperatures_err_less() -> None:
    texts = [
        (name, f"The {word} of it, {n}.")
        for name, word in (("App", "widget"), ("News", "newsroom"))
        for n in range(150)
    ]

    def right(model: str, temperature: float) -> list[bool]:
        return [ask(page(t), system=LISTED, model=model, temperature=temperature) == name for name, t in texts]

    best, warmer = right("gpt-4o", 0.0), right("gpt-4o", 1.0)
    small, smaller = right("gpt-35-turbo", 0.0), right("gpt-35-turbo", 1.0)
    assert sum(best) > sum(warmer) > sum(smaller)
    assert sum(best) > sum(small) > sum(smaller)
    assert all(better or not worse for better, worse in zip(best, warmer, strict=True))


@pytest.mark.parametrize(
    ("better", "worse"),
    [("gpt-4o", "gpt-4o-mini"), ("gpt-4", "gpt-35-turbo"), ("o3", "my-deployment"), ("gpt-5", "phi-3")],
)
def test_a_model_s_name_tells_its_size(better: str, worse: str) -> None:
    rates = [slip_rate(ChatRequest((), name, 0.0, None, None, (), None)) for name in (better, worse)]
    assert rates[0] < rates[1]


SYSTEMS = (
    LISTED,
    "Summarize the text in 50 words.",
    RULES,
    CODER,
    SHOP.format(""),
    GRADER,
    "Extract the job titles.",
    "",
)


@given(text=st.text(max_size=300), system=st.sampled_from(SYSTEMS), temperature=st.floats(allow_nan=False))
@settings(max_examples=300, deadline=None)
def test_any_text_gets_an_answer(text: str, system: str, temperature: float) -> None:
    for user in (text, f"Text: {text}\nOUTPUT:", f"Question: {text}\nAnswer: {text}"):
        assert ask(user, system=system, temperature=temperature).strip()


FLOODS: dict[str, Callable[[int], str]] = {
    "letters": lambda n: "a" * n,
    "capitals": lambda n: "A" * n,
    "names": lambda n: "Aa " * (n // 3),
    "spaces": lambda n: " " * n,
    "lines": lambda n: "\n" * n,
    "colons": lambda n: "text:\n" * (n // 6),
    "digits": lambda n: "1" * n,
    "spaced digits": lambda n: "12 " * (n // 3),
    "formulas": lambda n: "x^2 + " * (n // 6),
    "equations": lambda n: "x = " * (n // 4),
    "brackets": lambda n: "(" * n,
    "stops": lambda n: ". " * (n // 2),
    "headings": lambda n: "## a\n" * (n // 5),
    "mail": lambda n: "a@a." * (n // 4),
    "bullets": lambda n: "- A: b\n" * (n // 7),
    "quotes": lambda n: '"category" within "' * (n // 19),
    "titles": lambda n: "senior " * (n // 7),
    "money": lambda n: "$1," * (n // 3),
    "sums": lambda n: "has 1 gives 2 to each of " * (n // 25),
}


@pytest.mark.timeout(60)
@pytest.mark.parametrize("flood", FLOODS.values(), ids=FLOODS)
@pytest.mark.parametrize("system", SYSTEMS)
def test_a_flood_is_answered(flood: Callable[[int], str], system: str) -> None:
    """A pattern that backtracks would not come back before the time-out."""
    for user in (flood(50_000), f"Entity type: person\nText: {flood(50_000)}\nOUTPUT:"):
        assert ask(user, system=system)
        assert ask("x", system=system + user)
