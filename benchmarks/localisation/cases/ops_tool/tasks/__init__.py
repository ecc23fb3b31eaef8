"""Tasks of those who run the machines: one module each."""
