"""Bringing runs to their end in front of a person: in this process, or on a host."""
