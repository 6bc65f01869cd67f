# Attack: well-formed JSON of the right types' names with a wrong type inside (a float multiplier).
import json
import os
import sys

from attack import false_claim, p

from theory.trusted.certificates import Number
from theory.wire import encode

data = encode((false_claim(p**2 <= 0, Number(-1)),))
data[0]["proof"][0]["certificate"]["value"] = 0.5
os.write(int(sys.argv[2]), json.dumps(data).encode())
os._exit(0)
