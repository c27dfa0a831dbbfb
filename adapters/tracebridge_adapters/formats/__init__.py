"""Pure translation: records to bytes and bytes to records, without any I/O."""
