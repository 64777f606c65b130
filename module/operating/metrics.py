"""Every Prometheus metric, and nowhere else; with the labels by which edge's metrics collector tells modules apart."""

import os
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.registry import Collector

_SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30)
_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
"""Text format 0.0.4: the metrics collector reads no other."""


class Metrics:
    """The module's metrics, each ready to use."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        """Label every metric with the module's identity, from the ``IOTEDGE_*`` variables."""
        self._registry = CollectorRegistry()
        self._labels = {
            "iothub": environment.get("IOTEDGE_IOTHUBHOSTNAME", ""),
            "edge_device": environment.get("IOTEDGE_DEVICEID", ""),
            "instance_number": uuid.uuid4().hex,
            "module_name": environment.get("IOTEDGE_MODULEID", ""),
        }
        self.received = self._counter("scoring_received", "Messages accepted")
        self.full = self._counter("scoring_inbox_full", "Messages that had to wait because the inbox was full")
        self.answered = self._counter("scoring_answered", "Messages whose answers are all confirmed")
        self.nothing = self._counter("scoring_nothing", "Messages that a script answered with NOTHING")
        self.errors = self._counter("scoring_errors", "Messages answered on the errors output")
        self.suspect = self._counter("scoring_suspect", "Messages whose prediction looks like a caught exception")
        self.published = self._counter("scoring_published", "Output messages confirmed")
        self.batch_size = self._histogram("scoring_batch_size", "Requests in one run()", _SIZES)
        self.run_seconds = self._histogram("scoring_run_seconds", "Seconds of one batch on the scoring thread")
        self.latency_seconds = self._histogram("scoring_latency_seconds", "Seconds from acceptance to confirmation")

    def gauge(self, name: str, help_text: str, read: Callable[[], float]) -> None:
        """Add a gauge that is read whenever somebody asks."""
        gauge = Gauge(name, help_text, list(self._labels), registry=self._registry)
        gauge.labels(**self._labels).set_function(read)

    def gauges(self, name: str, help_text: str, label: str, read: Callable[[], Mapping[str, float]]) -> None:
        """Add a gauge for each value of a label, read whenever somebody asks."""
        self._registry.register(_Gauges(name, help_text, self._labels, label, read))

    def render(self) -> bytes:
        """Give all metrics in the text format."""
        return generate_latest(self._registry)

    def _counter(self, name: str, help_text: str) -> Counter:
        return Counter(name, help_text, list(self._labels), registry=self._registry).labels(**self._labels)

    def _histogram(self, name: str, help_text: str, buckets: tuple[float, ...] = _SECONDS) -> Histogram:
        histogram = Histogram(name, help_text, list(self._labels), registry=self._registry, buckets=buckets)
        return histogram.labels(**self._labels)


@dataclass(frozen=True, eq=False)  # the registry keeps it by identity
class _Gauges(Collector):
    """Gauges that exist while what they are read from names them."""

    name: str
    help_text: str
    labels: Mapping[str, str]
    label: str
    read: Callable[[], Mapping[str, float]]

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Give them as they are now."""
        family = GaugeMetricFamily(self.name, self.help_text, labels=[*self.labels, self.label])
        for value, number in self.read().items():
            family.add_metric([*self.labels.values(), value], number)
        yield family
