"""A mail command of our own, for hosts without one: gives a letter to a server that speaks SMTP."""
