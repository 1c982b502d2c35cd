"""What ``validate`` checks without running anything: pure functions from files to findings, one module a subject."""
