"""Everything of the database agent that touches a database."""
