"""The process that reads the log and writes the projection."""
