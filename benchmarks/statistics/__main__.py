"""Makes the tables of docs/statistics.md: python -m benchmarks.statistics [TABLE …]."""

import sys

from benchmarks.statistics.tables import TABLES, write

write(sys.argv[1:] or TABLES)
