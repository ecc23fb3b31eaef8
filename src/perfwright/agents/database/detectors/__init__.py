"""Pure rules that find bottlenecks in what the probes of the database agent saw."""
