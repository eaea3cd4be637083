"""`make compact`: hours that are over become history now, with their progress on the screen."""
