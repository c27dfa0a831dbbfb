"""The site made of docs/: `layout` puts the pages together, Zensical makes HTML of them, `check` finds what is wrong with it."""
