"""Write the pages of the reference, and the manual page."""

from support.reference import DOCS, MANUAL, PAGES, manual, page

MANUAL.write_text(manual.page(), "utf-8")
for name in PAGES:
    (DOCS / name).write_text(page(name), "utf-8")
