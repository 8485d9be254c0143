"""Specs and values of the store, on the command line."""
