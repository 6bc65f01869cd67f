# Attack: never end.
import time

while True:
    time.sleep(1)
