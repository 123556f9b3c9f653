"""One module per runtime that returns the value of every tensor."""
