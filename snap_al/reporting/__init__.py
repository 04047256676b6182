"""Tables, figures and progress. They are made from the files of a run, which they do not change."""
