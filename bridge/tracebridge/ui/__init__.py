"""`tracebridge ui`: a page on loopback over the destinations that can be read: `server` who may ask, `answers` what is answered, the scripts what is drawn."""
