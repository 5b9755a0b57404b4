"""Lien Thong: is this health-insurance card good, here, today, and why."""
