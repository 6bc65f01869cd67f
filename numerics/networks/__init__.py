"""Networks, and the tasks on which the figures train them."""
