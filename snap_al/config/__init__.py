"""The YAML config: loading it with all problems listed at once, writing commented ones, building a
run from it.
"""

from snap_al.config.build import make_labeler, open_run
from snap_al.config.load import load_config, validate_config
from snap_al.config.state import read_run
from snap_al.config.templates import config_for_structure, template, template_names
from snap_al.config.yaml_text import parse_yaml

__all__ = [
    "config_for_structure",
    "load_config",
    "make_labeler",
    "open_run",
    "parse_yaml",
    "read_run",
    "template",
    "template_names",
    "validate_config",
]
