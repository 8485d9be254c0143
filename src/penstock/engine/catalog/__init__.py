"""Specs and values by namespace: what people write, and what a store keeps of it."""
