# Attack: an empty list of theorems, all of which are proved.
THEOREMS = ()
