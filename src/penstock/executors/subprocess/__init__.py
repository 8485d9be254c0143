"""Worker processes: each executes one run at a time, and takes nothing else down when it dies."""

from penstock.executors.subprocess.pool import Pool

__all__ = ["Pool"]
