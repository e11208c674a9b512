"""Programs: a traced run of the engine as data, which is replayed, compiled or printed."""
