"""The simulation that the statistics of the gates were chosen by, and are held to."""
