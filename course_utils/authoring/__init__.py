"""Builds what is generated: the notebooks, their pages and the figures."""
