"""Everything of the PostgreSQL engine that touches a server."""
