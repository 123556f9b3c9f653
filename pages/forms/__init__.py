"""Widgets for the settings of a job."""
