"""`python -m tests.fuzz`: random and mutated documents, as many as there is time for.

python -m tests.fuzz                       all campaigns, as the tests run them
python -m tests.fuzz --times 50 --seed 7   fifty times as long, and other documents
python -m tests.fuzz guided --megabytes 5  one campaign, in this process
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from importlib import import_module
from pathlib import Path

from tests.fuzz.campaigns import CAMPAIGNS, run_all


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__.partition("\n")[0])
    parser.add_argument("campaign", nargs="?", choices=CAMPAIGNS)
    parser.add_argument("--megabytes", type=float, default=1.0, help="of one campaign")
    parser.add_argument("--times", type=float, default=1.0, help="how much more than the tests, of all")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--store", default="", help="the address of the store to apply to")
    parser.add_argument("--folder", type=Path, help="where files go; a temporary one by default")
    order = parser.parse_args()
    if order.campaign is None:
        for report in run_all(times=order.times, seed=order.seed):
            sys.stdout.write(f"{report}\n")
        return
    folder = order.folder or Path(tempfile.mkdtemp(prefix="penstock-fuzz-"))
    campaign = import_module(f"tests.fuzz.{order.campaign}")
    more = {"url": order.store} if order.store else {}
    found = campaign.main(folder, size_bytes=round(order.megabytes * 1e6), seed=order.seed, **more)
    sys.stdout.write(f"{found.line()}\n")


if __name__ == "__main__":
    main()
