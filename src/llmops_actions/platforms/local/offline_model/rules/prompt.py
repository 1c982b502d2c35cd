"""Reads a prompt: which task it sets, its instructions, its examples, and the case that it asks about."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache

from llmops_actions.platforms.local.offline_model.types import ChatRequest, Message


class Task(Enum):
    """What a prompt asks for."""

    CLASSIFY = "classify"
    SUMMARISE = "summarise"
    EXTRACT = "extract"
    MATHEMATICS = "mathematics"
    SUPPORT = "support"
    GRADE = "grade"
    OTHER = "other"


@dataclass(frozen=True)
class Example:
    """One example of a prompt: named inputs and the output that was wanted."""

    fields: Mapping[str, str]
    output: str


@dataclass(frozen=True)
class Prompt:
    """A prompt, taken apart.

    `fields` are the named inputs of the case ("url", "text content", ...), lower case. `body` is the last message of
    the user; `history` what was said before it, without the turns that are examples.
    """

    task: Task
    instructions: str
    lowered: str
    examples: tuple[Example, ...]
    fields: Mapping[str, str]
    body: str
    history: tuple[Message, ...]
    wants_json: bool
    only_json: bool

    def field(self, *names: str) -> str:
        """The first of these fields that the case has, else an empty text."""
        return next((self.fields[name] for name in names if self.fields.get(name)), "")

    def case(self, *names: str) -> str:
        """The first of these fields that is not empty; of a prompt that has none of them, its subject."""
        named = any(name in self.fields for name in names)
        return self.field(*names) if named else self.subject()

    def subject(self) -> str:
        """What a prompt without fields is about: its last message without a leading "Do this:"."""
        return _LEADING_ORDER.sub("", self.body, count=1)

    def says(self, pattern: str) -> bool:
        """Whether the instructions match a pattern, which is written in lower case."""
        return re.search(pattern, self.lowered) is not None


_FIELD_NAMES = (
    "url|text content|text|content|article|math question|question|query|entity type|entity|entities|value|answer|"
    "response|reference answer|reference|ground truth|groundtruth|expected facts|facts|context|summary|code|output|"
    "category|label|score|statement|statements|title"
)
_FIELD = re.compile(rf"^[ \t*#]*({_FIELD_NAMES})[ \t*]*:[ \t*]*", re.IGNORECASE | re.MULTILINE)
_LAST_LINE = re.compile(r"(?:^|\n)[ \t*#]*([A-Za-z][A-Za-z ]{0,30}?)[ \t*]*:[\s*]*\Z")
_LEADING_ORDER = re.compile(r"\A[^\n:]{1,200}:\s+(?=\S)")
_DEFAULT_OUTPUTS = "output|entities|code|label"
_ONLY_JSON = re.compile(
    r"only (?:with )?(?:a |an |the |one )?(?:valid )?json|json (?:object )?only|only output (?:a |the )?json|"
    r"nothing else|no other text|return a valid json",
    re.IGNORECASE,
)

_SIGNS: tuple[tuple[Task, re.Pattern[str], int], ...] = tuple(
    (task, re.compile(pattern), weight)
    for task, pattern, weight in (
        (Task.CLASSIFY, r"classif", 3),
        (Task.CLASSIFY, r"categor|which (?:label|class|kind)|what kind", 2),
        (Task.SUMMARISE, r"summari[sz]e", 3),
        (Task.SUMMARISE, r"summary|shorten|condense|keywords|key terms", 1),
        (Task.EXTRACT, r"\bentit(?:y|ies)\b", 2),
        (Task.EXTRACT, r"extract|find (?:all )?(?:the )?(?:entities|names)|entities of", 2),
        (Task.MATHEMATICS, r"python", 2),
        (Task.MATHEMATICS, r"\bmath|calculus|\bcode\b|program", 2),
        (Task.GRADE, r"on a scale|scale of|from \d to \d|between \d and \d", 4),
        (Task.GRADE, r"\bhow (?:\w+ ){1,2}(?:is|are|was|does|do)\b[^\n]{0,80}\b\d ?(?:to|-|\u2013) ?\d", 4),
        (Task.GRADE, r"\b(?:grade|score|rate|evaluator|judge)\b", 3),
        (Task.SUPPORT, r"customer|support (?:agent|assistant|team)|help ?desk", 3),
        (Task.SUPPORT, r"help cent(?:re|er)|knowledge base|answer the question", 2),
    )
)
_LEAST_SIGN = 2


def parse(request: ChatRequest) -> Prompt:
    """Take a request apart. Any text is a prompt: what says nothing becomes `Task.OTHER`."""
    system = "\n".join(message.content for message in request.messages if message.role in ("system", "developer"))
    turns = [message for message in request.messages if message.role not in ("system", "developer")]
    body = turns.pop().content if turns and turns[-1].role == "user" else ""
    intro, cases, fields = _split(body)
    bare_question = system and not fields and task_of(system) is not Task.OTHER
    instructions = system if bare_question else f"{system}\n{intro}".strip() or body
    examples, history = _example_turns(turns)
    examples += cases
    text = instructions + "".join(example.output for example in examples)
    asked_json = (request.response_format or "text") != "text"
    return Prompt(
        task=task_of(instructions),
        instructions=instructions,
        lowered=instructions.lower(),
        examples=tuple(examples),
        fields=fields,
        body=body,
        history=tuple(history),
        wants_json=asked_json or "json" in text.lower() or any(e.output.startswith("{") for e in examples),
        only_json=asked_json or _ONLY_JSON.search(instructions) is not None,
    )


def task_of(instructions: str) -> Task:
    """The task that instructions set."""
    return _task_of(instructions if len(instructions) <= 1200 else instructions[:900] + instructions[-300:])


@lru_cache(maxsize=512)
def _task_of(head: str) -> Task:
    head = head.lower()
    signs = dict.fromkeys(Task, 0)
    for task, pattern, weight in _SIGNS:
        if pattern.search(head):
            signs[task] += weight
    best = max(signs, key=lambda task: signs[task])
    return best if signs[best] >= _LEAST_SIGN else Task.OTHER


def _split(body: str) -> tuple[str, list[Example], dict[str, str]]:
    """The instructions of a message, its worked examples and the fields of its case."""
    last = _LAST_LINE.search(body)
    name = re.escape(last[1]) if last else _DEFAULT_OUTPUTS
    pieces = re.split(rf"^[ \t*#]*(?:{name})[ \t*]*:[ \t*]*", body, flags=re.IGNORECASE | re.MULTILINE)
    if last is None and len(pieces) == 1:
        pieces.append("")
    intro, fields = _fields(pieces[0])
    examples: list[Example] = []
    for piece in pieces[1:-1] if last or not pieces[-1] else pieces[1:]:
        output, rest = _output_and_rest(piece)
        examples.append(Example(fields, output))
        between, fields = _fields(rest)
        intro = f"{intro}\n{between}"
    return intro, examples, fields


def _output_and_rest(piece: str) -> tuple[str, str]:
    piece = piece.lstrip("\n")
    ends = [found.start() for found in (_FIELD.search(piece), re.search(r"\n[ \t]*\n", piece)) if found]
    end = min(ends, default=len(piece))
    return piece[:end].strip(), piece[end:]


def _fields(text: str) -> tuple[str, dict[str, str]]:
    """What stands before the first field, and the fields; a name that comes again belongs to the value before it."""
    starts: list[tuple[str, int, int]] = []
    for found in _FIELD.finditer(text):
        if found[1].lower() not in (name for name, _, _ in starts):
            starts.append((found[1].lower(), found.start(), found.end()))
    ends = [start for _, start, _ in starts[1:]] + [len(text)]
    fields = {name: text[begin:end].strip() for (name, _, begin), end in zip(starts, ends, strict=False)}
    return (text[: starts[0][1]] if starts else text), fields


def _example_turns(turns: list[Message]) -> tuple[list[Example], list[Message]]:
    """Turns whose questions are made of fields are examples; other turns are the conversation so far."""
    examples: list[Example] = []
    history: list[Message] = []
    for asked, given in zip(turns[::2], turns[1::2], strict=False):
        _, fields = _fields(asked.content)
        if fields and asked.role == "user" and given.role == "assistant":
            examples.append(Example(fields, given.content.strip()))
        else:
            history += [asked, given]
    return examples, history + (turns[-1:] if len(turns) % 2 else [])
