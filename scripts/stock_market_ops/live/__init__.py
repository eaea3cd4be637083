"""`make live`: a page on this machine that shows the market and the pipeline as they move."""
