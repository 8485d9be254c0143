"""What a store says when what a new run wants for itself is another's."""

from __future__ import annotations

from penstock.core.errors import KeyTaken, RunExists


def fid_taken(fid: str) -> RunExists:
    return RunExists(f"there is a run {fid} already", fid=fid)


def key_taken(fid: str, *, holder: str) -> KeyTaken:
    return KeyTaken(
        f"run {holder} was begun with the key of run {fid} already",
        fid=fid,
        holder=holder,
        remedy=f"go on with run {holder}, or give another key",
    )
