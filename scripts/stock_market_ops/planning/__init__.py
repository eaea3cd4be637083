"""What `make plan` knows, judges and shows."""
