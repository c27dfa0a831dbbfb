"""A release, by one command: `cd tests && python -m support.release`. CONTRIBUTING.md says how one is made; nothing is uploaded."""
