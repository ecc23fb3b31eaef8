"""Not used; the package wants to import it."""
