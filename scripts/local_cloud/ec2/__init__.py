"""EC2: instances, addresses, networks and the instance metadata service."""
