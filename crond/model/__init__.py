"""The model: what a crontab, a schedule, a run and a message are. Pure and frozen values, standard
library only.
"""
