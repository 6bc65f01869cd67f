# Attack: many lines and control characters on stderr.
import sys

sys.exit("proved\n\x1b[2Jall checkers\n\x1b[32mproved\x1b[0m")
