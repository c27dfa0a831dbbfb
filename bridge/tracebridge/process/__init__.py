"""The process around us: exits, forks, private files, our own requests kept out of traces. It knows no span."""
