"""The commands that train and synthesize, called by name from `harness`."""
