"""Benchmarks: what the engine costs, measured side by side with prompt flow's own. `make bench` runs them."""
