"""One HTML file about a run or a checkpoint: the verdict first, then what it rests on."""
