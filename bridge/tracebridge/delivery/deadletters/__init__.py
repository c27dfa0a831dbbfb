"""Dead letters: the spans that destinations refused for good, in memory and in files."""
