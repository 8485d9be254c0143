"""Two people sign before something happens: locks in plain Python.

penstock run examples/approval.py:transfer --set amount=500 &
penstock locks release @ sign-1 --input '{"name": "Ada"}'
"""

from __future__ import annotations

import dataclasses

from penstock import Candidate, Context, Denied, LockExpired, flow


@dataclasses.dataclass
class Signature:
    name: str


@flow
async def transfer(ctx: Context, amount: int = 500) -> dict[str, object]:
    """Ask two people, and give up when one of them takes more than a week."""
    signed: list[str] = []

    def another(candidate: Candidate) -> None:
        if candidate.value.name in signed:
            raise Denied("you have signed already; somebody else has to", pointer="/name")

    try:
        for number in (1, 2):
            signature = await ctx.lock(
                f"sign-{number}",
                schema=Signature,
                title=f"Sign for {amount}",
                data={"amount": amount, "signed": signed},
                candidate_timeout="7d",
                check=another,
            )
            signed.append(signature.name)
    except LockExpired:
        return {"transferred": 0, "signed": signed}
    return {"transferred": amount, "signed": signed}
