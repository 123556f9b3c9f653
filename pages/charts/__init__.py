"""The app's charts; they draw what they are given, and read no run."""
