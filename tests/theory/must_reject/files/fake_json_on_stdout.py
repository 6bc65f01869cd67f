# Attack: a verdict of one's own on stdout, where the table or the JSON document goes.
from attack import false_claim, p

print('{"version": "1", "theorems": [{"id": "attack", "status": "proved"}]}', flush=True)
THEOREM = false_claim(1 + p**2 <= 0)
