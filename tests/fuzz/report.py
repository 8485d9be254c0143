"""What a campaign did, as a line that another process reads."""

from __future__ import annotations

import msgspec


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """inputs, size_bytes: how many there were. accepted: how many were right, or written."""

    campaign: str
    inputs: int
    size_bytes: int
    accepted: int
    slowest_seconds: float

    def __str__(self) -> str:
        return (
            f"{self.campaign}: {self.inputs:,} inputs, {self.size_bytes / 1e6:.1f} MB; "
            f"{self.accepted:,} were right, the slowest took {self.slowest_seconds:.2f} s"
        )

    def line(self) -> str:
        """The report for another process."""
        return msgspec.json.encode(self).decode()


def read_report(output: str) -> Report:
    """The report that is the last line of an output."""
    return msgspec.json.decode(output.strip().splitlines()[-1], type=Report)
