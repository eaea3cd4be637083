"""`make report`: one HTML file with plots of the named analyses."""
