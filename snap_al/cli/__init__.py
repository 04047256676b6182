"""Thin commands over the package."""
