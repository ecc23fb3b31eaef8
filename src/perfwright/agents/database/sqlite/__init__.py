"""SQLite: probes, bench and engine."""
