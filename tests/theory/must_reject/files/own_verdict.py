# Attack: hand over a report that says `proved` in place of a theorem.
import json
import os
import sys

from theory.export.to_json import encode
from theory.statements import Report, Status

os.write(int(sys.argv[2]), json.dumps(encode((Report(Status.PROVED, "", (), ()),))).encode())
os._exit(0)
