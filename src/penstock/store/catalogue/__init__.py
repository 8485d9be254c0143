"""Specs and values, as every store keeps them."""
