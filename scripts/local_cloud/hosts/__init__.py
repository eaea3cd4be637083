"""The Debian hosts behind EC2's instances: image, container, network, packet filter."""
