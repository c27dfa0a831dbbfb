"""`spanlog/1`: one finished span, one log line, and back."""
