"""How the pocket model was made, and the measure of how good it is."""
