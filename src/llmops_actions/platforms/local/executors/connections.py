"""The connections of a run as prompt flow asks for them: each is built when it is used, whatever its type.

Imported by prompt flow's side only. Prompt flow's own provider builds all at once, so that one incomplete connection
that nobody uses ends every run, and it does not know the types of its vector stores.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import promptflow.connections  # noqa: F401 - registers its classes
from promptflow._core.tools_manager import register_connections
from promptflow.core._connection import QdrantConnection, WeaviateConnection
from promptflow.core._connection_provider._dict_connection_provider import DictConnectionProvider

from llmops_actions.platforms.local.executors.protocol import ProgramError
from llmops_actions.platforms.ports import Connection

_TYPE_NAMES = {
    "azure_open_ai": "AzureOpenAIConnection",
    "open_ai": "OpenAIConnection",
    "azure_content_safety": "AzureContentSafetyConnection",
    "azure_ai_services": "AzureAIServicesConnection",
    "cognitive_search": "CognitiveSearchConnection",
    "form_recognizer": "FormRecognizerConnection",
    "serp": "SerpConnection",
    "serverless": "ServerlessConnection",
    "qdrant": "QdrantConnection",
    "weaviate": "WeaviateConnection",
    "custom": "CustomConnection",
    "CustomStrongTypeConnection": "CustomConnection",
}
"""Other names of prompt flow's classes. A strong type's values travel as custom: the node's own class takes them."""

register_connections([QdrantConnection, WeaviateConnection])


class LazyConnections(DictConnectionProvider):  # type: ignore[misc]
    """Gives connections by name. It can be pickled: the processes of prompt flow's pool get one each."""

    def __init__(self, connections: Mapping[str, Connection]) -> None:
        self._given = {name: _definition(name, connection) for name, connection in connections.items()}
        self._connections: dict[str, Any] = {}

    def get(self, name: Any) -> Any:
        """The connection ``name``.

        Raises:
            ProgramError: it lacks something.
            ConnectionNotFound: there is none of that name.
        """
        if isinstance(name, str) and name in self._given and name not in self._connections:
            self._connections[name] = self._build(name)
        return super().get(name)

    def list(self) -> list[Any]:
        """All connections."""
        return [self.get(name) for name in self._given]

    def _build(self, name: str) -> Any:
        definition = self._given[name]
        try:
            return self._build_connection(definition)
        except (TypeError, ValueError) as error:
            kind = definition["type"]
            raise ProgramError(f"The connection {name!r} cannot be used as {kind}: {error}") from error


def _definition(name: str, connection: Connection) -> dict[str, Any]:
    return {
        "name": name,
        "type": _TYPE_NAMES.get(connection.type, connection.type),
        "value": {**connection.configs, **connection.secrets},
        "secret_keys": list(connection.secrets),
    }
