"""The messages of Lien Thong: strict, versioned pydantic models and the table of streams."""
