/* The symbol that Python's build tools look for in an extension. The kernel is loaded with ctypes, never imported. */
#include "core.h"

void *PyInit__kernel(void);
void *PyInit__kernel(void) { return 0; }

/* native.py loads no kernel with another number than its own: it would be built from other sources. */
int autoscale_abi(void);
int autoscale_abi(void) { return KERNEL_ABI; }
