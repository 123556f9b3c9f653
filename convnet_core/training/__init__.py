"""The training loop, optimizer, schedule, checkpoint, history and estimate."""
