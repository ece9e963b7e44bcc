"""The launcher: the privileged program. It knows what runs and as whom, never when."""
