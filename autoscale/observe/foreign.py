"""Kinds of manifests that are nothing to plan by."""

from __future__ import annotations

# Kinds that run no pods of their own, or not now. People feed whole applications.
_NAMES = """
APIService Binding CertificateSigningRequest ClusterRole ClusterRoleBinding ConfigMap
ControllerRevision CronJob CustomResourceDefinition DeviceClass EndpointSlice Endpoints Event FlowSchema HorizontalPodAutoscaler
Ingress IngressClass Lease LimitRange MutatingWebhookConfiguration NetworkPolicy
PodTemplate PriorityLevelConfiguration ResourceClaim ResourceClaimTemplate ResourceQuota
ResourceSlice Role RoleBinding RuntimeClass Secret Service ServiceAccount ValidatingAdmissionPolicy
ValidatingAdmissionPolicyBinding ValidatingWebhookConfiguration
"""
NO_PODS = frozenset(_NAMES.split())
_OWN_GROUPS = frozenset(
    f"{name}.k8s.io"
    for name in (
        *("admissionregistration", "apiextensions", "apiregistration", "certificates", "coordination", "discovery"),
        *("events", "flowcontrol.apiserver", "networking", "node", "rbac.authorization", "resource", "scheduling"),
        "storage",
    )
)


def own(api_version: str) -> bool:
    """Whether it is Kubernetes' own, where an unknown kind is a slip of the pen; other groups are others' affair."""
    group = api_version.rpartition("/")[0]
    return "." not in group or group in _OWN_GROUPS
