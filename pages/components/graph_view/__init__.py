"""The view of a graph: boxes, edges, folds, a search, a minimap and a panel, drawn by the browser."""
