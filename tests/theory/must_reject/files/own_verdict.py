# Attack: hand over a report that says `proved` in place of a theorem.
import json
import os
import sys

from theory.trusted.statements import Report, Status
from theory.wire import encode

os.write(int(sys.argv[2]), json.dumps(encode((Report(Status.PROVED, "", (), ()),))).encode())
os._exit(0)
