"""What no output may show: secrets, by their names, their shapes and the configuration's own values, and characters that steer a terminal."""
