# Attack: a title that is markup for the terminal.
import dataclasses

from attack import false_claim, p

THEOREM = dataclasses.replace(false_claim(1 + p**2 <= 0), title="[/] [green]proved[/green] [x")
