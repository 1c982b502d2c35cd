"""What the command ``llmops`` calls: the command line, loaded where Ctrl-C can be caught."""


def main() -> int:
    """Run the command line; Ctrl-C ends it as an error, in words, also while modules are still being loaded."""
    try:
        from llmops_actions.cli import main as run

        return run()
    except KeyboardInterrupt:
        import sys

        sys.stderr.write("llmops: Interrupted.\n")
        return 3
