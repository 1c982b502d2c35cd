"""What an ``action.yml`` calls: ``python -m llmops_actions <step>``, with the inputs in the environment."""

from __future__ import annotations

import sys

from llmops_actions.github.entry import main

sys.exit(main(sys.argv[1:]))
