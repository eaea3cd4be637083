"""`make plan`: what a deployment will be, what it costs, and what prevents it."""
