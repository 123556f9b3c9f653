"""How fast each runtime loads and answers, measured in a process of its own."""
