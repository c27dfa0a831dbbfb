"""Which traces are delivered: by a share of all at their start (`head`), and by what is in them once they are whole (`tail`)."""
