"""What alerts say: from flips to messages. Shared by recorder and notifier; pure."""
