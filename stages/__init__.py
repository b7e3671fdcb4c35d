"""What happens to documents: one file, one stage, one verb."""
