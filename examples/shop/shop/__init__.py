"""A small e-commerce site with the performance faults of real ones."""
