"""The rules, on the standard library alone: no clock, no id, no log, no input or output."""
