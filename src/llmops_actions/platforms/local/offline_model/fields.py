"""Reads a JSON body field by field into typed values; what does not fit is a 400 in OpenAI's words."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping

from llmops_actions.platforms.local.offline_model.api_errors import ApiError, bad_parameter


def parse_object(body: bytes) -> Fields:
    """Raises `ApiError` unless the body is one JSON object."""
    try:
        value: object = json.loads(body)
    except (ValueError, RecursionError):
        raise ApiError(400, "We could not parse the JSON body of your request. A JSON object was expected.") from None
    if not isinstance(value, dict):
        raise ApiError(400, f"Invalid body: expected a JSON object, but got {kind_of(value)}.")
    return Fields(value)


class Fields:
    """An object's fields. A missing one and a null one are the same; wrong ones raise `ApiError`."""

    def __init__(self, values: Mapping[str, object], where: str = "") -> None:
        self._values = values
        self._where = where

    def get(self, name: str) -> object:
        """The value as it is, or None."""
        return self._values.get(name)

    def path(self, name: str) -> str:
        """The field's name from the top of the body, as errors give it."""
        return f"{self._where}.{name}" if self._where else name

    def require(self, name: str) -> object:
        """The value, which must be there."""
        value = self.get(name)
        if value is None:
            path = self.path(name)
            raise bad_parameter(path, f"Missing required parameter: '{path}'.", "missing_required_parameter")
        return value

    def text(self, name: str) -> str | None:
        """A string, or None."""
        value = self.get(name)
        if value is not None and not isinstance(value, str):
            raise self.wrong(name, "a string")
        return value

    def flag(self, name: str) -> bool:
        """True or false; false if it is missing."""
        value = self.get(name)
        if value is not None and not isinstance(value, bool):
            raise self.wrong(name, "a boolean")
        return bool(value)

    def integer(self, name: str, low: int, high: int) -> int | None:
        """A whole number from `low` to `high`, or None."""
        value = self.get(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int):
            raise self.wrong(name, "an integer")
        self._check_range(name, value, low, high)
        return value

    def number(self, name: str, low: float, high: float) -> float | None:
        """A number from `low` to `high`, or None."""
        value = self.get(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.wrong(name, "a number")
        self._check_range(name, value, low, high)
        return float(value)

    def nested(self, name: str) -> Fields:
        """The object in a field; one without fields if it is missing."""
        value = self.get(name)
        if value is None:
            return Fields({}, self.path(name))
        if not isinstance(value, dict):
            raise self.wrong(name, "an object")
        return Fields(value, self.path(name))

    def wrong(self, name: str, expected: str) -> ApiError:
        """The error that the field is not what was expected."""
        path = self.path(name)
        got = kind_of(self.get(name))
        return bad_parameter(
            path, f"Invalid type for '{path}': expected {expected}, but got {got} instead.", "invalid_type"
        )

    def _check_range(self, name: str, value: float, low: float, high: float) -> None:
        path = self.path(name)
        if math.isnan(value) or value < low:
            message = f"Invalid '{path}': below the minimum value. Expected a value >= {low}, but got {value}."
            raise bad_parameter(path, message, "integer_below_min_value" if isinstance(value, int) else None)
        if value > high:
            message = f"Invalid '{path}': above the maximum value. Expected a value <= {high}, but got {value}."
            raise bad_parameter(path, message, "integer_above_max_value" if isinstance(value, int) else None)


def kind_of(value: object) -> str:
    """What JSON calls the value, with its article."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, int):
        return "an integer"
    if isinstance(value, float):
        return "a decimal number"
    if isinstance(value, str):
        return "a string"
    return "an array" if isinstance(value, list) else "an object"
