"""The notifier: delivers one batch of messages, with the rights of whose crontab it is, and ends."""
