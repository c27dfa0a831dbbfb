"""Open spans: the mutable half of a span's life, and the table whose removal ends it. Nothing here queues or sends."""
