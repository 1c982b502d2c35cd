"""GitHub Actions: workflow commands, step summary, outputs, annotations."""
