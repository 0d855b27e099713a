"""What the store holds, for other tools: Parquet, model cards, experiment trackers."""
