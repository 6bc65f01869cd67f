"""What helps to write a statement, its proof and its witness; nothing here is believed."""
