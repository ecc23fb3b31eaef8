"""Changes of PostgreSQL databases: made beside the traffic, watched, taken back exactly."""
