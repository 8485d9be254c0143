"""Kinds that speak HTTP."""
