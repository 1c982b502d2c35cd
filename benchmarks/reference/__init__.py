"""What ours is measured against: prompt flow 1.18.5, called as its users call it."""
