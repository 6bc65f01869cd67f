# Attack: close stdout and stderr, then claim something false.
import os
import sys

from attack import false_claim, p

sys.stdout.close()
for stream in (1, 2):
    os.close(stream)
THEOREM = false_claim(1 + p**2 <= 0)
