"""`make replay-quarantine`: quarantined records become quotes once their cause is mended."""
