"""Names of files that a child and its parent share."""

STACKS_FILE = "stacks.txt"
"""In the child's scratch folder: where ``faulthandler`` writes."""
