"""What a run holds for others: the list of its files, code that loads them, and all as one zip."""
