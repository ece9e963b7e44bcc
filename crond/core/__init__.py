"""The core: what is due, what may start, what an end means. Pure decisions; time is an argument."""
