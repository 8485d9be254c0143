"""Changing a document in part: JSON Merge Patch, RFC 7396."""

from __future__ import annotations

from penstock.core.payload import Payload


def merge(target: Payload, patch: Payload) -> Payload:
    """The target with the patch laid over it: a null takes its field away, a list replaces a list."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = merge(merged.get(name), value)
    return merged
