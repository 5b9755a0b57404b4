"""The process that counts what was answered."""
