"""Mathematics: writes a Python program for a question, with the slips of a hasty programmer."""

from __future__ import annotations

import json
import re

from llmops_actions.platforms.local.offline_model.rules.chance import draw, slips
from llmops_actions.platforms.local.offline_model.rules.problems import Program, program_for
from llmops_actions.platforms.local.offline_model.rules.prompt import Prompt
from llmops_actions.platforms.local.offline_model.types import ChatRequest

_LONGEST_QUESTION = 2_000
_FORGETS_PRINT, _FORGETS_IMPORT, _GUESSES = 0.4, 0.6, 0.6
_MISREADINGS: tuple[tuple[str, str], ...] = (
    (r"range\((.+?) \+ 1\)", r"range(\1)"),
    (r" / 100\b", " / 10"),
    (r" - ", " + "),
    (r" / ", " // "),
    (r" \* ", " + "),
    (r" \+ ", " - "),
    (r"(?<=, )(\d+)(?=\))", r"\1 + 1"),
)


def answer(prompt: Prompt, request: ChatRequest) -> str:
    """A program that prints the answer, in the format that the prompt asks for."""
    question = prompt.case("question", "math question", "query", "text")
    question = question[:_LONGEST_QUESTION]
    stepwise = prompt.says(r"step by step|steps")
    program = program_for(question, several_steps=stepwise or draw("steps", question) > _GUESSES)
    shown = "\n".join(example.output for example in prompt.examples)
    code = _written(program, question, _habits(prompt, shown))
    if slips(request, "program", question, (0.6 if shown else 1.2) * (0.8 if stepwise else 1.0)):
        code = _misread(code)
    return _format(prompt, shown, question, code)


def _habits(prompt: Prompt, shown: str) -> tuple[bool, bool]:
    """Whether the prompt teaches to print the result, and to import what is used."""
    return prompt.says(r"\bprint") or "print(" in shown, prompt.says(r"\bimports?\b") or "import " in shown


def _written(program: Program, question: str, habits: tuple[bool, bool]) -> str:
    prints, imports = habits
    forgets_print = not prints and draw("print", question) < _FORGETS_PRINT
    forgets_import = not imports and draw("import", question) < _FORGETS_IMPORT
    result = program.result
    places = re.search(r"\b(two|three|four|\d{1,2}) decimal", question)
    if places:
        digits = {"two": 2, "three": 3, "four": 4}.get(places[1]) or int(places[1])
        result = f"round({result}, {digits})"
    lines = [] if forgets_import or not program.module else [f"import {program.module}", ""]
    lines += [*program.lines, f"result = {result}"]
    return "\n".join(lines if forgets_print else [*lines, "print(result)"])


def _misread(code: str) -> str:
    """The program with one thing wrong: the first misreading that fits."""
    for pattern, put in _MISREADINGS:
        wrong = re.sub(pattern, put, code, count=1)
        if wrong != code:
            return wrong
    return re.sub(r"\d+", lambda number: str(int(number[0]) + 1), code, count=1)


def _format(prompt: Prompt, shown: str, question: str, code: str) -> str:
    if prompt.wants_json:
        return json.dumps({"code": code}, ensure_ascii=False)
    if shown or draw("fence", question) < 0.2:
        return code
    return f"Here is a Python program for this question:\n\n```python\n{code}\n```\n\nIt prints the result."
