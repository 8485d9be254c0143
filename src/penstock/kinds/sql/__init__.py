"""The kind that speaks with databases."""
