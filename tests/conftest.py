"""What all tests share."""

import os

import torch

# Workers stand beside each other, one a core: more threads would only wait
# for each other.
if 'PYTEST_XDIST_WORKER' in os.environ:
    torch.set_num_threads(1)
