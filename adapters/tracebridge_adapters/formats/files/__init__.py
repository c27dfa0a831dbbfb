"""Line and document forms that are made of the other formats."""
