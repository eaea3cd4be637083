"""`make status`: one screen about a deployment."""
