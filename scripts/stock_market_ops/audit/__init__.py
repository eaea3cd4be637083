"""What is true of the objects in S3, told from S3 alone; docs/exactly-once.md says what is checked and why."""
