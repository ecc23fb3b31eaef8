"""PostgreSQL: probes, bench and engine."""
