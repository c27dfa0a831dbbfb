# Completion of tracebridge for fish.
_TRACEBRIDGE_COMPLETE=fish_source tracebridge | source
