"""A CUDA device that does not exist, for the GPU path on a CPU build of torch: see device.py."""
