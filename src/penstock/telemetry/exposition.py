"""Exposition: the metrics as Prometheus reads them, as text or OpenMetrics."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate
from typing import TYPE_CHECKING

from penstock.telemetry.families import families_of
from penstock.telemetry.instruments import Family, Histogram

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

    from penstock.telemetry.metrics import Metrics

_UNITS = ("seconds", "bytes")


class Exposition:
    """A registry of its own, with the metrics of Penstock and those of the system's process."""

    def __init__(self, metrics: Metrics) -> None:
        from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector

        self._families = families_of(metrics)
        self._registry = CollectorRegistry()
        self._registry.register(self)
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)

    def collect(self) -> Iterator[Metric]:
        """What prometheus-client asks of a collector."""
        return map(_metric, self._families)

    def text(self, accept: str = "") -> tuple[bytes, str]:
        """All metrics, and their content type: what an Accept header asks for, text otherwise."""
        from prometheus_client.exposition import choose_encoder

        encode, content_type = choose_encoder(accept)
        return encode(self._registry), content_type


def _metric(family: Family) -> Metric:
    from prometheus_client.metrics_core import (
        CounterMetricFamily,
        GaugeMetricFamily,
        HistogramMetricFamily,
    )

    unit = next((unit for unit in _UNITS if family.name.removesuffix("_total").endswith(unit)), "")
    if family.type == "histogram":
        histogram = HistogramMetricFamily(family.name, family.help, labels=family.labels, unit=unit)
        for labels, value in family.read().items():
            assert isinstance(value, Histogram)
            histogram.add_metric(labels, _buckets(value), value.seconds)
        return histogram
    make = CounterMetricFamily if family.type == "counter" else GaugeMetricFamily
    metric = make(family.name, family.help, labels=family.labels, unit=unit)
    for labels, number in family.read().items():
        assert not isinstance(number, Histogram)
        metric.add_metric(labels, number)
    return metric


def _buckets(histogram: Histogram) -> list[tuple[str, float]]:
    """Upper bounds with the counts up to them, as Prometheus wants them."""
    bounds = [*map(str, histogram.bounds), "+Inf"]
    return list(zip(bounds, accumulate(histogram.counts), strict=True))
