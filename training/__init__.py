"""Training that is driven by evaluation: uses `harness`, and is never imported by it."""
