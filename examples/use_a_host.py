"""A program that uses a host: it launches a flow, follows the run, and answers what it asks.

penstock serve --flows examples/approval.yaml &
export PENSTOCK_HOST=http://127.0.0.1:8370 PENSTOCK_TOKEN=…    # the token that it shows
python examples/use_a_host.py
"""

from __future__ import annotations

from penstock.client import Client


def main() -> None:
    with Client() as host:
        run = host.launch("approval", {"amount": 300})
        for event in run.events():
            print(event.type, event.node)
            if event.type == "lock.opened":
                lock = run.lock(event.data["lock"])
                print(f"  {lock.title} {lock.data}")
                hasty = run.submit(lock.lid, {"approved": True})
                print(f"  {hasty.outcome}: {', '.join(map(str, hasty.reasons))}")
                run.submit(lock.lid, {"approved": True, "reason": "the old one is worn out"})
        print(run.result())


if __name__ == "__main__":
    main()
