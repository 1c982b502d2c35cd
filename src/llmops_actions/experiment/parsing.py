"""From a parsed document to a typed model, with errors that name the line and the way out."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from llmops_actions.errors import ExperimentError, Location, shortened
from llmops_actions.experiment.yaml_source import Document, KeyPath

Model = TypeVar("Model", bound=BaseModel)


_PROBLEMS = {
    "list_type": " must be a list, `[…]`",
    "dict_type": " must hold names and values",
    "model_type": " must hold names and values",
    "string_pattern_mismatch": (
        ' becomes part of file names: it starts without a dot and holds no spaces, slashes or any of `:*?"<>|`'
    ),
}


def parse_document(document: Document, model: type[Model]) -> Model:
    """Validate a whole document against ``model``.

    Raises:
        ExperimentError: with every problem of the file in its message, one a line; located at the first.
    """
    if not isinstance(document.value, dict):
        kind = "empty" if document.value is None else f"a {type(document.value).__name__}"
        raise ExperimentError(f"The file must hold keys and values; it is {kind}.", document.locate())
    try:
        return model.model_validate(document.value)
    except ValidationError as error:
        problems = [_problem(details, document, model) for details in error.errors(include_url=False)]
        problems.sort(key=lambda problem: (problem[0].line or 0, problem[0].column or 0))
        first, *others = problems
        message = "\n".join([first[1], *(f"{place}: {text}" for place, text in others)])
        raise ExperimentError(message, first[0]) from error


def _problem(details: ErrorDetails, document: Document, model: type[BaseModel]) -> tuple[Location, str]:
    path = _path_in(document, details["loc"])
    return document.locate(path), _message(details, path, model)


def _message(details: ErrorDetails, path: KeyPath, model: type[BaseModel]) -> str:
    where = ".".join(str(part) for part in path) or "the file"
    kind = details["type"]
    if kind == "extra_forbidden":
        return f"Unknown key `{path[-1]}`.{_suggestion(str(path[-1]), _keys_at(model, path[:-1]))}"
    if kind == "missing":
        missing = details["loc"][-1]
        return f"`{missing}` is missing in {where}; add `{missing}: …`."
    if kind == "string_type" and isinstance(details["input"], str | int | float):
        return f"`{where}` must be text, not {details['input']!r}. Put it in quotes."
    problem = _PROBLEMS.get(kind, f": {details['msg']}")
    # What stands in a connection may be a secret.
    return f"`{where}`{problem}" + (
        "." if path[:1] == ("connections",) else f" (found {shortened(repr(details['input']))})."
    )


def _path_in(document: Document, location: tuple[int | str, ...]) -> KeyPath:
    """The part of pydantic's location that stands in the document (it also names members of unions)."""
    path: KeyPath = ()
    value: Any = document.value
    for part in location:
        stands = part in value if isinstance(value, dict) else isinstance(value, list) and isinstance(part, int)
        if stands:
            value = value[part]
            path = (*path, part)
    return path


def _keys_at(model: type[BaseModel], path: KeyPath) -> list[str]:
    for part in path:
        if isinstance(part, int):
            continue
        field = model.model_fields.get(part)
        nested = [each for each in getattr(field.annotation, "__args__", ()) if isinstance(each, type)] if field else []
        nested = [each for each in nested if issubclass(each, BaseModel)]
        if not nested:
            return []
        model = nested[0]
    return [field.alias or name for name, field in model.model_fields.items()]


def _suggestion(key: str, known: list[str]) -> str:
    others = f"Known keys: {', '.join(f'`{name}`' for name in known)}." if known else ""
    return f" {did_you_mean(key, known, others)}".rstrip()


def did_you_mean(name: str, known: Iterable[str], otherwise: str = "") -> str:
    """The way out of an unknown name: the nearest known one as a question, else ``otherwise``."""
    nearest = nearest_name(name, list(known))
    return f"Did you mean `{nearest}`?" if nearest else otherwise


def nearest_name(name: str, known: list[str]) -> str | None:
    """The known name that ``name`` was probably meant to be."""
    lowered = {each.lower(): each for each in known}
    found = difflib.get_close_matches(name.lower(), lowered, n=1, cutoff=0.6)
    return lowered[found[0]] if found else None
