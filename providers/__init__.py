"""One folder per cloud, each behind `autoscale.ports.Provider`. They see model, ports and errors, and nothing else.

`fake.py` is the reference: in memory, scriptable, held to the same contract tests as the clouds.
"""
