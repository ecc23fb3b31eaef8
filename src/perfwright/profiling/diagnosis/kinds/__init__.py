"""One file per kind of cause."""
