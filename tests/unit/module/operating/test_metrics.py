"""The metrics page, as edge's metrics collector reads it."""

from prometheus_client.parser import text_string_to_metric_families

from module.operating.metrics import CONTENT_TYPE, Metrics

LABELS = {"iothub": "hub.azure-devices.net", "edge_device": "edge-1", "module_name": "scoring"}
ENVIRONMENT = {
    "IOTEDGE_IOTHUBHOSTNAME": "hub.azure-devices.net",
    "IOTEDGE_DEVICEID": "edge-1",
    "IOTEDGE_MODULEID": "scoring",
}


def test_every_sample_says_which_module_it_is() -> None:
    """The labels iothub, edge_device, instance_number and module_name; two processes are two instances."""
    metrics = Metrics(ENVIRONMENT)
    metrics.gauge("scoring_waiting", "Waiting", lambda: 3)
    families = list(text_string_to_metric_families(metrics.render().decode()))
    samples = [sample for family in families for sample in family.samples]
    assert len(families) > 8
    instances = {sample.labels["instance_number"] for sample in samples}
    assert len(instances) == 1
    assert all(LABELS.items() <= sample.labels.items() for sample in samples)
    assert instances.pop().encode() not in Metrics(ENVIRONMENT).render()


def test_names_have_the_prefix_and_the_format_is_0_0_4() -> None:
    """The collector reads no other."""
    families = list(text_string_to_metric_families(Metrics({}).render().decode()))
    assert all(family.name.startswith("scoring_") and family.documentation for family in families)
    assert "version=0.0.4" in CONTENT_TYPE


def test_a_gauge_is_read_when_somebody_asks() -> None:
    """Nothing is written down in between."""
    metrics, waiting = Metrics({}), [5]
    metrics.gauge("scoring_waiting", "Waiting", lambda: waiting[0])
    waiting[0] = 7
    assert b"} 7.0" in metrics.render()


def test_a_batch_counts_its_size_and_its_seconds() -> None:
    """The mean batch is the sum of sizes by the number of runs."""
    metrics = Metrics({})
    for size in (1, 63):
        metrics.batch_size.observe(size)
        metrics.run_seconds.observe(0.25)
    samples = {
        sample.name: sample.value
        for family in text_string_to_metric_families(metrics.render().decode())
        for sample in family.samples
    }
    assert (samples["scoring_batch_size_sum"], samples["scoring_batch_size_count"]) == (64, 2)
    assert samples["scoring_run_seconds_sum"] == 0.5
