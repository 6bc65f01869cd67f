# Attack: a rational in exponent notation, which takes forever to write out.
import json
import os
import sys

from attack import false_claim, p

from theory.trusted.certificates import Number
from theory.wire import encode

data = encode((false_claim(p**2 <= 0, Number(-1)),))
data[0]["proof"][0]["certificate"]["value"] = {"rational": "1e999999999"}
os.write(int(sys.argv[2]), json.dumps(data).encode())
os._exit(0)
