"""Locks: points where a run waits for somebody to supply a candidate that its flow accepts."""
