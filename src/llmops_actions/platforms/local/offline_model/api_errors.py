"""Errors in the words and forms of the two services."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass

STAND_IN = "llmops offline-model, a stand-in"


@dataclass(frozen=True)
class ApiError(Exception):
    """An answer that is no success: HTTP status, message, OpenAI's `type`, the parameter to blame, a code."""

    status: int
    message: str
    type: str = "invalid_request_error"
    param: str | None = None
    code: str | None = None

    def body(self, azure: bool = False) -> str:
        """The JSON body. Azure's gateway has only code and message; of parameters both speak as OpenAI."""
        if azure and self.param is None:
            return json.dumps({"error": {"code": self.code or str(self.status), "message": self.message}})
        error = {"message": self.message, "type": self.type, "param": self.param, "code": self.code}
        return json.dumps({"error": error})


def bad_parameter(param: str, message: str, code: str | None = None) -> ApiError:
    """A 400 that blames one parameter of the body."""
    return ApiError(400, message, param=param, code=code)


def missing_key(azure: bool) -> ApiError:
    """A 401, in the words of the service; any key at all would do."""
    if azure:
        message = "Access denied due to missing subscription key. Send any key in the header 'api-key'."
    else:
        message = "You didn't provide an API key. Send any key in the header 'Authorization: Bearer KEY'."
    return ApiError(401, f"{message} ({STAND_IN})")


def unknown_address(method: str, path: str) -> ApiError:
    """No such address. Azure has one sentence for all of them."""
    if path.startswith("/openai/"):
        return ApiError(404, f"Resource not found ({STAND_IN})")
    return ApiError(404, f"Invalid URL ({method} {path}) ({STAND_IN})")


def wrong_method(method: str) -> ApiError:
    """A 405 that says which method would be right."""
    return ApiError(405, f"Only {method} requests are accepted. ({STAND_IN})", code="method_not_supported")


_INJECTED: dict[int, tuple[str, str, str | None]] = {
    400: ("The request was rejected.", "invalid_request_error", None),
    401: ("Incorrect API key provided.", "invalid_request_error", "invalid_api_key"),
    408: ("The request timed out.", "server_error", None),
    429: ("Rate limit reached for requests.", "requests", "rate_limit_exceeded"),
    500: ("The server had an error while processing your request.", "server_error", None),
    502: ("Bad gateway.", "server_error", None),
    503: ("The engine is currently overloaded, please try again later.", "server_error", None),
    504: ("The gateway timed out.", "server_error", None),
}


def injected(status: int, azure: bool, retry_after: float) -> ApiError:
    """The error that an injected fault shows; `retry_after` (seconds) is told by a 429."""
    message, kind, code = _INJECTED[status]
    if status == 429:
        message += f" Please retry after {retry_after:g} seconds."
    return ApiError(status, f"{message} (Injected by {STAND_IN}.)", kind, code=str(status) if azure else code)


def retry_headers(retry_after: float) -> dict[str, str]:
    """Retry-After in whole seconds (RFC 9110, 10.2.3), rounded up, and retry-after-ms: Azure sends both."""
    return {
        "Retry-After": str(math.ceil(retry_after)),
        "retry-after-ms": str(round(retry_after * 1000)),
    }
