"""The pinned versions of all that this project downloads, and the vulnerabilities that are known of them."""
