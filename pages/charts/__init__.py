"""The app's charts. They draw the data passed to them and read no files."""
