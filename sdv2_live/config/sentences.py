"""What a model of settings refused, in sentences: file and line, key, value, and the values that are allowed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import EnumType
from typing import Any, Literal, get_args, get_origin

from pydantic import ValidationError
from pydantic.fields import FieldInfo

from sdv2_live.config.fields import Section
from sdv2_live.errors import MAX_PROBLEMS
from sdv2_live.wording import nearest, shown
from sdv2_live.yamlfile import KeyPath, dotted

Where = Callable[[KeyPath], str]
ValueAt = Callable[[KeyPath], Any]


def sentences(error: ValidationError, model: type[Section], where: Where, value: ValueAt, noun: str = "key") -> Iterator[str]:
    """A sentence on each mistake, at most one more than an error lists.

    Args:
        error: what the model raised.
        model: the outermost section.
        where: file and line of a key.
        value: what is given there.
        noun: what the outermost section's keys are called.
    """
    for item in error.errors()[: MAX_PROBLEMS + 1]:
        key, owner, field = _place(item["loc"], model)
        lead = f"{where(key)}: {dotted(key)}"
        if item["type"] == "extra_forbidden" and field is None:
            yield f"{lead}: there is no such {_other(key, owner, noun)}"
            continue
        give = _allowed(field) if field is not None else keys_of(owner)
        missing = item["type"] == "missing"
        yield f"{lead}: is missing; give {give}" if missing else f"{lead}: cannot be {shown(value(key))}; give {give}"


def keys_of(section: type[Section]) -> str:
    """The names of a section's keys, and what may stand for them, for a sentence."""
    return f"{section.OR}the keys {', '.join(section.model_fields)}"


def _other(key: KeyPath, owner: type[Section], noun: str) -> str:
    """What an unknown key may have been meant for."""
    names = owner.model_fields
    noun = noun if len(key) == 1 else "key"
    of = f" of {key[-2]}" if len(key) > 1 and isinstance(key[-2], str) else ""
    return noun + (nearest(str(key[-1]), names) or f"; the {noun}s{of} are {', '.join(names)}")


def _place(location: KeyPath, model: type[Section]) -> tuple[KeyPath, type[Section], FieldInfo | None]:
    """A mistake's key; the section that it is in, or is; and its field, None where there is none of that name.

    Below a key's own place lie pydantic's names for union members and items, which nobody has written.
    """
    owner, inner, field = model, model, None
    key: KeyPath = ()
    for part in location:
        if isinstance(part, str):
            owner, field = inner, inner.model_fields.get(part)
        elif inner is owner:
            break
        key = (*key, part)
        held = _section_in(field.annotation) if field is not None else None
        if held is None:
            break
        inner = held
    is_section = inner is not owner and (isinstance(key[-1], int) or field is None or field.description is None)
    return (key, inner, None) if is_section else (key, owner, field)


def _section_in(annotation: Any) -> type[Section] | None:
    """The section that a field holds: itself, or as a list's items."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return annotation
    return next(filter(None, map(_section_in, get_args(annotation))), None) if annotation is not Literal else None


def _allowed(field: FieldInfo) -> str:
    kind = field.annotation
    words = [one.value for one in kind] if isinstance(kind, EnumType) else get_args(kind) if get_origin(kind) is Literal else ()
    return f"one of {', '.join(words)}" if words else field.description or "text"
