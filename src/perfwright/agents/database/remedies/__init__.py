"""Pure rules that turn findings of the database agent into proposals."""
