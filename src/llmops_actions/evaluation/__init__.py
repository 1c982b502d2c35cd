"""What the scores say: scores per row and metrics per run."""
