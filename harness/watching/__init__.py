"""What `harness watch` does with one checkpoint: waits, screens, decides, tells."""
