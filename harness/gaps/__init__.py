"""How far a checkpoint lies below its target, and how much data of which kind that asks for."""
