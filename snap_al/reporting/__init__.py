"""Tables, figures and progress for people. Reads what a run left; changes nothing of it."""
