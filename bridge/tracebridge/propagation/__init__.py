"""What travels between processes: header formats, the carriers that they are read from and written to, and which are used."""
