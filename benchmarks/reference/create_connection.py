"""Creates the local connection, as the templates do in a script of its own before anything runs."""

from __future__ import annotations

import os
import sys

from promptflow.client import PFClient
from promptflow.connections import AzureOpenAIConnection


def main() -> None:
    """Create or update the connection named by the one argument; address and key come from the environment."""
    name = sys.argv[1]
    connection = AzureOpenAIConnection(
        name=name,
        api_key=os.environ[f"{name.upper()}_API_KEY"],
        api_base=os.environ["AZURE_OPENAI_ENDPOINT"],
        api_type="azure",
        api_version="2024-02-01",
    )
    PFClient().connections.create_or_update(connection)


if __name__ == "__main__":
    main()
