# Completion of tracebridge for bash: bash-completion reads it when the command is first completed.
eval "$(_TRACEBRIDGE_COMPLETE=bash_source tracebridge)"
