"""Changes of SQLite files: one transaction each."""
