"""Which operation an address asks for, in OpenAI's form or in Azure's."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Operation(enum.Enum):
    """What can be asked for; the value is the end of its address."""

    CHAT = "chat/completions"
    COMPLETION = "completions"
    EMBEDDING = "embeddings"
    MODELS = "models"

    @property
    def method(self) -> str:
        """The HTTP method that it takes."""
        return "GET" if self is Operation.MODELS else "POST"


@dataclass(frozen=True)
class Route:
    """`azure` selects the form of error bodies; `deployment` is the model that an Azure address names."""

    operation: Operation
    azure: bool = False
    deployment: str | None = None
    model: str | None = None

    @property
    def needs_api_version(self) -> bool:
        """Whether the query must name an API version, as in Azure's addresses with a deployment."""
        return self.deployment is not None


_OPERATIONS = {operation.value: operation for operation in Operation}


def find_route(path: str) -> Route | None:
    """The route of a decoded path, or None if no service has it.

    OpenAI: /v1/<operation>, /<operation>, /v1/models/<model>. Azure: /openai/deployments/<name>/<operation>,
    /openai/v1/<operation>, /openai/models.
    """
    rest = path.strip("/")
    azure = rest.startswith("openai/")
    if azure:
        rest = rest.removeprefix("openai/")
    if azure and rest.startswith("deployments/"):
        deployment, _, name = rest.removeprefix("deployments/").partition("/")
        operation = _OPERATIONS.get(name)
        if not deployment or operation is None or operation is Operation.MODELS:
            return None
        return Route(operation, azure, deployment)
    rest = rest.removeprefix("v1/")
    if rest.startswith("models/"):
        return Route(Operation.MODELS, azure, model=rest.removeprefix("models/"))
    operation = _OPERATIONS.get(rest)
    return Route(operation, azure) if operation else None
