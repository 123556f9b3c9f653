"""The value of every tensor of a graph in one runtime, a module a runtime."""
