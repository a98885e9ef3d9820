"""What a person types: doctor, cleanup."""
