# Attack: end with status 0 before anything is handed over.
import os

os._exit(0)
