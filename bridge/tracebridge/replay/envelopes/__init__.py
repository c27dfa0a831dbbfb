"""What shippers wrap a line in, taken off again: container runtimes, syslog, journald, log agents and log stores.

Only what is known for what it is comes off: an envelope has an exact form, or it is not known. An application's own log line that quotes
a span line, in a text field or behind words of its own, stays an ordinary log line: otherwise whoever can make an application log a text
could forge a span. Forms that an application's logger writes as well come off when the user names them.

| module | holds |
|---|---|
| `prefixes` | forms that stand in front of a line, as regular expressions |
| `objects` | JSON objects that hold a line, one type each |
| `unwrapping` | takes one envelope off, and joins lines that a runtime split |
| `own` | what only the user knows: `--prefix`, `--field`, `--envelope` |
| `hints` | says which option would read a span line inside an unknown wrapper |
"""
