"""[GROUPS] of a FitSNAP deck."""

from __future__ import annotations

from snap_al.data.storage import LARGEST_TEXT, expanded, require_regular_file
from snap_al.data.weights import check_weight
from snap_al.fitsnap.deck import Group
from snap_al.fitsnap.keys import known_keys
from snap_al.fitsnap.values import Values


def groups_of(values: Values) -> tuple[Group, ...]:
    """All groups. Raises InputError."""
    usual = "name size eweight fweight vweight"
    columns = values.get("GROUPS", "group_sections", usual).split()[1:]
    types = values.get("GROUPS", "group_types", "str float float float float").split()[1:]
    if len(columns) != len(types):
        raise values.error(
            "[GROUPS]", f"group_sections names {len(columns)} columns, group_types {len(types)}"
        )
    for column in columns:
        if column not in ("size", "training_size", "testing_size", "eweight", "fweight", "vweight"):
            raise values.error(f"[GROUPS] group_sections: {column}", "not supported")
    lines = _group_file(values) or _group_lines(values)
    kinds = dict(zip(columns, types, strict=True))
    groups = [_group(values, k, v, kinds) for k, v in lines]
    if not groups:
        raise values.error("[GROUPS]", "no groups of configurations")
    return tuple(groups)


def _group_lines(values: Values) -> list[tuple[str, str]]:
    return [(k, v) for k, v in values.items("GROUPS") if k not in known_keys("GROUPS")]


def _group_file(values: Values) -> list[tuple[str, str]]:
    """Lines of [PATH] groupFile: the group's name, then what group_sections says."""
    name = values.get("PATH", "groupFile", "None")
    if name == "None":
        return []
    path = values.path.parent / expanded(name)
    if not path.is_file():
        raise values.error(f"[PATH] groupFile = {name}", "no such file")
    lines = [
        line.split("#")[0].split(maxsplit=1)
        for line in require_regular_file(path, LARGEST_TEXT)
        .read_text(encoding="utf-8")
        .splitlines()
    ]
    return [(line[0], line[1] if len(line) > 1 else "") for line in lines if line]


def _group(values: Values, name: str, line: str, kinds: dict[str, str]) -> Group:
    words = line.split()
    if len(words) != len(kinds):
        raise values.error(
            f"[GROUPS] {name}", f"{len(words)} values for the columns {', '.join(kinds)}"
        )
    numbers = {
        c: values.number(f"[GROUPS] {name}, {c}", w) for c, w in zip(kinds, words, strict=True)
    }
    for column, value in numbers.items():
        if value < 0:
            raise values.error(
                f"[GROUPS] {name}, {column}", f"is {value:g}, and may not be negative"
            )
        try:
            check_weight(value if column.endswith("weight") else 0.0)
        except ValueError as error:
            raise values.error(f"[GROUPS] {name}, {column}", str(error)) from error
    bare = "size" in numbers
    if bare == ("training_size" in numbers):
        raise values.error("[GROUPS] group_sections", "give either size or training_size")
    training = "size" if bare else "training_size"
    return Group(
        name,
        numbers[training],
        numbers.get("testing_size", 0.0),
        (kinds[training] == "float", kinds.get("testing_size", "float") == "float"),
        bare,
        numbers.get("eweight", 1.0),
        numbers.get("fweight", 1.0),
        numbers.get("vweight", 1.0),
    )
