"""The scheduler: the one process that knows when and why. It can only name entries of the launcher's
tables.
"""
