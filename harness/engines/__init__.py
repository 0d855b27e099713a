"""What generates text: vLLM, transformers and OpenAI-compatible servers behind one Protocol."""
