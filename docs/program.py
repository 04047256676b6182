"""What the program says of itself, as Markdown: `python docs/program.py` prints both references."""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
import types
from collections.abc import Iterator, Mapping
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined
from typer.core import TyperArgument
from typer.main import get_command

from snap_al.inference import CustomSettings, FitSettings
from snap_al.inference.methods import POSTERIORS
from snap_al.inference.settings_union import USUAL
from snap_al.named import DottedName


def command_line() -> str:
    """Every command: its help text, usage, arguments and options, as `--help` shows them."""
    from snap_al.cli.app import app

    group = get_command(app)
    parts = []
    for name, command in group.commands.items():  # type: ignore[attr-defined]
        context = command.make_context(f"snap-al {name}", [], resilient_parsing=True)
        paragraphs = [
            " ".join(p.split()) for p in (inspect.getdoc(command.callback) or "").split("\n\n")
        ]
        example = [p.removeprefix("Example: ") for p in paragraphs if p.startswith("Example: ")]
        said = [_plain(p) for p in paragraphs if not p.startswith("Example: ")]
        usage = [f"snap-al {name}", *map(_piece, command.collect_usage_pieces(context))]
        rows = [
            f"| {_names(p)} | {_cell(getattr(p, 'help', None) or '')} | {_cell(_default(p))} |"
            for p in command.params if p.name != "help"
        ]  # fmt: skip
        parts += [f"## snap-al {name}", *said, _code(" ".join(usage), *example)]
        if rows:
            parts.append("\n".join(["| option | meaning | default |", "|---|---|---|", *rows]))
    return "\n\n".join(parts) + "\n"


def config_keys() -> str:
    """Every section and key of a config: type, default, and what the settings say of it."""
    from snap_al.loop import RunConfig

    parts = []
    for path, model in _models(RunConfig, ""):
        title = f"`{path}`" if path else "The whole config"
        parts += _section(title, model, model.model_fields)
        if path == "fit":
            parts += _posteriors(path)
    return "\n\n".join(parts) + "\n"


def _section(
    title: str, model: type[BaseModel], fields: Mapping[str, Any], empty: str = ""
) -> list[str]:
    """empty: what is said where there are no fields."""
    rows = []
    docs = _attribute_docs(model)
    for name, field in fields.items():
        if model is FitSettings and name == "posterior":
            field = FieldInfo(annotation=Literal[tuple(POSTERIORS)] | DottedName, default=USUAL)
        meaning = _cell(_plain(docs.get(name, "")))
        kind, default = _cell(_code_span(_type(field.annotation))), _cell(_value(field))
        rows.append(f"| `{name}` | {kind} | {default} | {meaning} |")
    said = _plain(" ".join((inspect.getdoc(model) or "").split()))
    table = ["| key | type | default | meaning |", "|---|---|---|---|", *rows]
    return [f"## {title}", said, "\n".join(table) if rows else empty]


NO_OWN_OPTIONS = "Its options are among those that all posteriors have."


def _posteriors(path: str) -> Iterator[str]:
    """What each posterior adds to the options that all have."""
    for name, entry in POSTERIORS.items():
        own = _own_fields(entry.settings)
        title = f"`{path}` with `posterior: {name}`"
        yield from _section(title, entry.settings, own, NO_OWN_OPTIONS)
    title = f"`{path}` with `posterior` that names a class of yours"
    yield from _section(title, CustomSettings, _own_fields(CustomSettings))


def _own_fields(model: type[FitSettings]) -> dict[str, Any]:
    common = FitSettings.model_fields
    return {name: field for name, field in model.model_fields.items() if name not in common}


def _models(model: type[BaseModel], path: str) -> Iterator[tuple[str, type[BaseModel]]]:
    """The model and those inside it, each with the dotted path of its first place."""
    seen: set[type[BaseModel]] = set()
    waiting = [(path, model)]
    while waiting:
        where, here = waiting.pop(0)
        if here in seen:
            continue
        seen.add(here)
        yield where, here
        for name, field in here.model_fields.items():
            inside = f"{where}.{name}" if where else name
            waiting += [(inside + many, m) for m, many in _inside(field.annotation)]


def _inside(annotation: Any) -> list[tuple[type[BaseModel], str]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [(annotation, "")]
    many = "[]" if get_origin(annotation) is tuple else ""
    return [(m, more + many) for part in get_args(annotation) for m, more in _inside(part)]


def _attribute_docs(model: type[BaseModel]) -> dict[str, str]:
    """The strings that follow fields in the sources of a model and its parents."""
    found: dict[str, str] = {}
    for cls in reversed(model.__mro__):
        if not (issubclass(cls, BaseModel) and cls is not BaseModel):
            continue
        (tree,) = ast.parse(textwrap.dedent(inspect.getsource(cls))).body
        assert isinstance(tree, ast.ClassDef)
        for one, after in zip(tree.body, tree.body[1:], strict=False):
            if (
                isinstance(one, ast.AnnAssign) and isinstance(one.target, ast.Name)
                and isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
            ):  # fmt: skip
                found[one.target.id] = " ".join(str(after.value.value).split())
    return found


def _type(annotation: Any) -> str:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if annotation is type(None):
        return "null"
    if origin is Literal:
        return ", ".join(map(str, arguments))
    if origin in (Union, types.UnionType):
        return " or ".join(dict.fromkeys(_type(a) for a in arguments))
    if origin is tuple:
        return (
            f"list of {_type(arguments[0])}"
            if arguments[-1] is ...
            else f"[{', '.join(map(_type, arguments))}]"
        )
    if origin is dict:
        return f"{{{_type(arguments[0])}: {_type(arguments[1])}}}"
    if hasattr(annotation, "__metadata__"):
        return _type(arguments[0])
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "section"
    return {
        "str": "text",
        "int": "integer",
        "float": "number",
        "bool": "true or false",
        "Path": "path",
    }.get(getattr(annotation, "__name__", ""), getattr(annotation, "__name__", str(annotation)))


def _value(field: Any) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    if value is PydanticUndefined or isinstance(value, BaseModel):
        return ""
    if value is None:
        return ""
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, tuple):
        return f"`[{', '.join(map(str, value))}]`"
    return _code_span(str(value)) if value != "" else ""


def _piece(usage: str) -> str:
    usage = usage.replace("[[", "[").replace("]]", "]")
    return usage.strip("{}").upper() if usage.startswith("{") else usage


def _names(parameter: Any) -> str:
    if isinstance(parameter, TyperArgument):
        return _code_span((parameter.metavar or parameter.name or "").upper())
    return ", ".join(f"`{name}`" for name in [*parameter.opts, *parameter.secondary_opts])


def _default(parameter: Any) -> str:
    if parameter.required:
        return "required"
    value = parameter.default
    return (
        ""
        if value is None or value is False or value == () or callable(value)
        else _code_span(str(value))
    )


def _code(*lines: str) -> str:
    return "\n".join(["```", *lines, "```"])


def _code_span(text: str) -> str:
    return f"`{text}`" if text else ""


def _cell(text: str) -> str:
    return text.replace("|", r"\|")


def _plain(text: str) -> str:
    """Outside of code, characters that Markdown would read as markup stay what they are."""
    parts = re.split(r"(`[^`]+`)", text)
    return "".join(p if p.startswith("`") else re.sub(r"([*_<>\[\]|$])", r"\\\1", p) for p in parts)


if __name__ == "__main__":
    print(command_line())
    print(config_keys())
