"""How results are shown: text for a terminal, JSON for programs, Markdown for summaries."""
