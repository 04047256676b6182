"""What can be done with a config, a run or a potential: one file for each task.

They take Python objects or files and return typed results. They print nothing; `snap_al.cli` does.
"""
