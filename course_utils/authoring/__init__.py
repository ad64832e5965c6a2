"""Builds what is generated: the notebooks, the figures and the site."""
