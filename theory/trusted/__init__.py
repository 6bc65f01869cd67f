"""What must be believed, and nothing else: see README.md beside this file."""
