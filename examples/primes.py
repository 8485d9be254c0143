"""A flow that counts for a while, in a worker process: nobody else on the host waits for it.

penstock run examples/primes.py --set below=3000000
"""

from __future__ import annotations

from penstock import Context, flow


def count_primes(below: int) -> int:
    """Count them with a sieve, one byte for each number."""
    sieve = bytearray([1]) * below
    sieve[:2] = bytes(min(2, below))
    for number in range(2, int(below**0.5) + 1):
        if sieve[number]:
            sieve[number * number :: number] = bytes(len(range(number * number, below, number)))
    return sum(sieve)


@flow(executor={"kind": "subprocess", "memory": "512MiB", "timeout": "1m", "retries": 1})
async def primes(ctx: Context, below: int = 100_000) -> dict[str, int]:
    """Count the primes below a number."""
    return {"below": below, "primes": await ctx.step(count_primes, below)}
