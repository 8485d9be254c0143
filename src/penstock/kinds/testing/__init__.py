"""Kinds that check what others answer."""
