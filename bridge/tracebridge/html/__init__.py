"""A trace as a picture for browsers: what is drawn (`picture`), by what (`waterfall.js`), and one file that holds both (`document`)."""
