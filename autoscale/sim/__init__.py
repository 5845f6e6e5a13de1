"""An embedded cluster: an API server in this process, a scheduler, DaemonSets, and machines that boot.

For `autoscale demo` on a machine with nothing but Python, and for fast tests: the real `KubeCluster` talks to it over
HTTP. It speaks the part of the API that this project uses, in the API server's own words, and no more. Nothing but the
command line may import it.
"""
