"""Builds the solver's compiled kernels when there is a C compiler; the package installs without one, too."""

from pathlib import Path

from setuptools import Extension, setup

KERNEL = Path("autoscale/solve/kernel")
SOURCES = sorted(map(str, KERNEL.glob("*.c")))

setup(
    ext_modules=[
        Extension(
            "autoscale.solve._kernel",
            sources=SOURCES,
            depends=sorted(map(str, KERNEL.glob("*.h"))),
            extra_compile_args=["-O3", "-std=c11", "-fno-math-errno", "-pthread"],
            extra_link_args=["-pthread"],
            optional=True,
        )
    ]
    if SOURCES
    else []
)
