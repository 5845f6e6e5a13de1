"""Events are written beside the loop: whoever announces does not wait, and the API server is not flooded."""

from autoscale.observe.kube import KubeCluster
from autoscale.observe.kube_events import EventSettings, EventWriter
from autoscale.sim.cluster import EmbeddedCluster

from .helpers import add_pod, eventually


def test_announcing_does_not_wait_for_the_server(embedded: EmbeddedCluster, cluster: KubeCluster) -> None:
    """A server that is away costs the tick nothing, or the Event would be given up here; it comes once all is well."""
    ref = add_pod(embedded, "p")
    cluster._http._pause_s = 1.0  # all attempts together take several seconds
    with embedded.faults.outage():
        cluster.announce(ref, event="NotTriggerScaleUp", text="nothing fits")
    assert cluster.events.flush(30)
    assert [event["reason"] for event in embedded.events()] == ["NotTriggerScaleUp"]


def test_events_are_paced_and_come_in_order(embedded: EmbeddedCluster, cluster: KubeCluster) -> None:
    """After the burst, so many a second; closing writes the rest at once."""
    ref = add_pod(embedded, "p")
    writer = EventWriter(cluster._http, EventSettings(per_s=0.01, burst=2, close_s=30))
    for number in range(5):
        writer.add(ref, event="NotTriggerScaleUp", text=str(number))
    eventually("the burst is written", lambda: len(embedded.events()) >= 2)
    assert not writer.flush(0.2)
    assert [event["message"] for event in embedded.events()] == ["0", "1"]
    writer.close()
    assert sorted(event["message"] for event in embedded.events()) == ["0", "1", "2", "3", "4"]


def test_what_can_not_be_written_in_time_is_let_go(embedded: EmbeddedCluster, cluster: KubeCluster) -> None:
    """Closing ends in time, and of too many that wait the oldest go first."""
    ref = add_pod(embedded, "p")
    writer = EventWriter(cluster._http, EventSettings(per_s=0.01, burst=0, kept=2, close_s=30))
    for number in range(5):
        writer.add(ref, event="NotTriggerScaleUp", text=str(number))
    writer.close()
    assert sorted(event["message"] for event in embedded.events()) == ["3", "4"]
    late = EventWriter(cluster._http, EventSettings(per_s=0.01, burst=0, close_s=-1))
    late.add(ref, event="NotTriggerScaleUp", text="too late")
    late.close()
    assert len(embedded.events()) == 2
