"""What several commands share. A command's own module stands one floor above, and nothing here imports one."""
