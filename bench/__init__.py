"""Measurements of crond beside other crons. Not part of the installed package."""
