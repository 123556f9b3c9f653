"""What can be wrong with a conversion, a check a module. A check gives findings."""
