"""Rating open-ended answers by a model: prompts, framing, reading verdicts, calibration."""
