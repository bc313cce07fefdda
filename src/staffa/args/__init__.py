"""How the arguments of a function become the JSON object of a job, and back."""
