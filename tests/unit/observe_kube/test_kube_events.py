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


def test_an_event_about_a_node(embedded: EmbeddedCluster, cluster: KubeCluster) -> None:
    """It is in the namespace `default`, where the kubelet's own are, and names no namespace of the node's."""
    cluster.announce(("g8-0", "g8-0"), event="PredictionCorrected", text="other labels", about="g8")
    assert cluster.events.flush(30)
    (event,) = embedded.events()
    assert event["involvedObject"] == {"apiVersion": "v1", "kind": "Node", "name": "g8-0", "uid": "g8-0"}
    assert (event["metadata"]["namespace"], event["reason"]) == ("default", "PredictionCorrected")
    assert event["metadata"]["name"].startswith("g8-0.")


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


def test_one_event_for_the_same_reason(embedded: EmbeddedCluster, cluster: KubeCluster) -> None:
    """In five minutes one is written about a pod and a reason, though the engine be started again; then it counts up."""
    ref, other = add_pod(embedded, "p"), add_pod(embedded, "q")
    for writer in (cluster.events, EventWriter(cluster._http)):  # the second knows nothing of the first
        for pod, text, about in (
            (ref, "needs 3 more", "LimitReached"),
            (ref, "needs 2 more", "LimitReached"),
            (ref, "no toleration", "UntoleratedTaint"),
            (other, "needs 3 more", "LimitReached"),
        ):
            writer.add(pod, event="NotTriggerScaleUp", text=text, about=about)
        assert writer.flush(10)
    assert sorted((e["involvedObject"]["name"], e["message"], e["count"]) for e in embedded.events()) == [
        ("p", "needs 3 more", 1),
        ("p", "no toleration", 1),
        ("q", "needs 3 more", 1),
    ]
    writer.close()
    patient = EventWriter(cluster._http, EventSettings(again_s=-10))  # as if that long had passed
    patient.add(ref, event="NotTriggerScaleUp", text="needs 1 more", about="LimitReached")
    patient.close()
    (again,) = (e for e in embedded.events() if e["count"] == 2)
    assert (again["message"], again["involvedObject"]["uid"]) == ("needs 1 more", ref[0])
    assert again["lastTimestamp"] >= again["firstTimestamp"]
