"""What is done to a graph before it is converted. A pass is a function from a graph to a graph."""
