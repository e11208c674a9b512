"""Lines in, JSON out: what `dezero batch` does."""
