# Attack: leave a process behind that holds every open file, and end.
import os
import time

if os.fork() == 0:
    time.sleep(600)
os._exit(0)
