"""The stand-in model server: OpenAI's and Azure OpenAI's interfaces on loopback, answered by rules.

`process.start(settings)` runs it as a child process; `python -m` this package runs it in the foreground.
"""
