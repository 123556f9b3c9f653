"""What every package may need: atomic files, folders, bounds of zips, JSON to dataclasses, numbers as text."""
