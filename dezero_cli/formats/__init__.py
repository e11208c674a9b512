"""Formats of columns, Parquet and Arrow: whether a file is sound, and how it is read in silence."""
