import os
import sys

from promptflow.core import tool


@tool
def echo(text: str) -> str:
    """Say ``text`` in every way there is, the secret with it; every second length is an error."""
    words = f"{text}\n{os.environ['MODEL_API_KEY']}\n"
    sys.stdout.write(words)
    sys.stderr.write(words)
    for stream in (1, 2):
        os.write(stream, words.encode("utf-8", "replace"))
    if len(text) % 2:
        raise ValueError(words)
    return words
