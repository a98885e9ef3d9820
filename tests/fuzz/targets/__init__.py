"""What is fuzzed: one decoder, or one family of them, a file."""
