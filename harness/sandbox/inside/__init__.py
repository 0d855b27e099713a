"""What runs inside the sandbox. Standard library only; nothing here imports harness."""
