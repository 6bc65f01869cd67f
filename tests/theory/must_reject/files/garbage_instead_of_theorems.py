# Attack: bytes that are no JSON in place of the theorems.
import os
import sys

os.write(int(sys.argv[2]), b'[{"is": "Theorem", \xff\xfe')
os._exit(0)
