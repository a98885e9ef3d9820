"""What a person at a node asks: where the lines are, what is still there, who took them away."""
