"""Widgets that give the settings of a job."""
