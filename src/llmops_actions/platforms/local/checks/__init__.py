"""Checks that run a use case's code: always in a child process, never in ours."""
