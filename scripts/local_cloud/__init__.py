"""The local cloud: moto's AWS API on this machine, with real Debian hosts behind EC2."""
