"""Tables in, tables out: what `dezero map` does."""
