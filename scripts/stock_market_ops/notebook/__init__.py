"""`make notebook`: JupyterLab for a deployment."""
