"""What a sentence is: reading, validating, converting, and where corpora come from."""
