"""Stable Diffusion, dissected."""
