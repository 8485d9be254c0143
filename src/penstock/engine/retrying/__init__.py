"""Retrying: running again what a run was, from what it had done."""
