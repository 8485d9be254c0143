"""What every store must do, as a test class.

    pytest.register_assert_rewrite("penstock.testing.conformance")

    from penstock.testing.conformance import StoreConformance

    class TestMyStore(StoreConformance):
        @pytest.fixture
        def store_factory(self, tmp_path):
            return lambda: MyStore(tmp_path / "journal")

`store_factory` makes a store that is not open yet. Of a durable store each call gives
another view of the same data. The tests are coroutines: set `asyncio_mode = "auto"` of
pytest-asyncio.
"""

from penstock.testing.conformance.audit import AuditConformance
from penstock.testing.conformance.catalogue import CatalogueConformance
from penstock.testing.conformance.keys import KeyConformance
from penstock.testing.conformance.owners import OwnerConformance
from penstock.testing.conformance.queries import QueryConformance
from penstock.testing.conformance.reports import ReportConformance
from penstock.testing.conformance.runs import RunConformance
from penstock.testing.conformance.samples import (
    PATIENCE_SECONDS,
    batch_of,
    events,
    fid,
    opened,
    run_row,
    seqs,
)
from penstock.testing.conformance.streams import StreamConformance

__all__ = [
    "PATIENCE_SECONDS",
    "CatalogueConformance",
    "StoreConformance",
    "batch_of",
    "events",
    "fid",
    "opened",
    "run_row",
    "seqs",
]


class StoreConformance(
    StreamConformance,
    RunConformance,
    QueryConformance,
    KeyConformance,
    OwnerConformance,
    CatalogueConformance,
    ReportConformance,
    AuditConformance,
):
    """All of it. Derive from this class and give it `store_factory`."""
