"""What a Book is made of: the compiled sections of rules.yaml, immutable."""
