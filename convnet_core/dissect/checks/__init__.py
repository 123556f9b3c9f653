"""One module per check of a conversion. Checks return findings."""
