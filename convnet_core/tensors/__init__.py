"""Named arrays, what is known of a model's inputs, and how inputs are drawn or read."""
