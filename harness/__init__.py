"""The evaluation-first engine of a team that trains Japanese LLMs."""

__version__ = "0.1.0"
