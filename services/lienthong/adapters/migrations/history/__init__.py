"""The changes of the history's schema."""
