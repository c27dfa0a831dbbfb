"""The fault harness: kill, cut, fill, corrupt and stall for real, and count spans at the far end. `python -m benchmarks.faults`."""
