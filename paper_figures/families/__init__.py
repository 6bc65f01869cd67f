"""What several figures share: their runs, and how they are drawn."""
