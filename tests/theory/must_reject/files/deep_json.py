# Attack: JSON nested deeper than any recursion goes.
import os
import sys

os.write(int(sys.argv[2]), b"[" * 100_000 + b"]" * 100_000)
os._exit(0)
