"""Audits the treatment of HER2-positive breast cancer against encoded guideline rules."""
