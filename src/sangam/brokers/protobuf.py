"""Protobuf messages made of tables, for brokers that stream them (proto3; protobuf docs: Encoding, Descriptor).

    LTPC = messages("acme", {"LTPC": {"ltp": (1, "double"), "ltt": (2, "int64")}, ...})["LTPC"]

A field is (number, type) or (number, type, label). Types are proto's scalar names, names of the same table, or
``DoubleValue`` and its like of google.protobuf. Labels: ``repeated``, ``map`` (keys are strings), ``optional`` (a
scalar whose absence can be told from zero), or the name of the ``oneof`` it belongs to. Fields that no table names are
skipped by the reader, as everywhere in protobuf."""

from collections.abc import Mapping
from typing import Any

from google.protobuf import descriptor_pool, message_factory, wrappers_pb2
from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto, FileDescriptorProto
from google.protobuf.message import DecodeError, Message

__all__ = ["DecodeError", "Message", "messages"]

Field = tuple[int, str] | tuple[int, str, str]
Table = Mapping[str, Mapping[str, Field]]

_SCALARS = {
    name: FieldDescriptorProto.Type.Value(f"TYPE_{name.upper()}")
    for name in ("double", "float", "int32", "int64", "uint32", "uint64", "sint64", "bool", "string", "bytes")
}
_LABELS = FieldDescriptorProto.Label
_WRAPPERS = "google/protobuf/wrappers.proto"


def messages(package: str, table: Table, enums: Mapping[str, Mapping[str, int]] | None = None) -> dict[str, type[Any]]:
    """The classes of a table's messages by name. `package` is any name that no other table has."""
    file = FileDescriptorProto(name=f"{package}.proto", package=package, syntax="proto3", dependency=[_WRAPPERS])
    for name, values in (enums or {}).items():
        enum = file.enum_type.add(name=name)
        for value, number in values.items():
            enum.value.add(name=value, number=number)
    for name, fields in table.items():
        _message(file.message_type.add(name=name), fields, package, frozenset(enums or ()))
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(wrappers_pb2.DESCRIPTOR.serialized_pb)
    pool.Add(file)
    return {name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{package}.{name}")) for name in table}


def _message(made: DescriptorProto, fields: Mapping[str, Field], package: str, enums: frozenset[str]) -> None:
    groups = {name: _group(name, *labels) for name, (_, _, *labels) in fields.items()}
    # protoc puts the oneofs that stand for one optional field behind the others.
    choices = sorted(set(filter(None, groups.values())), key=lambda group: (group.startswith("_"), group))
    for choice in choices:
        made.oneof_decl.add(name=choice)
    for name, (number, kind, *labels) in fields.items():
        label = labels[0] if labels else ""
        field = made.field.add(name=name, number=number, label=_LABELS.LABEL_OPTIONAL)
        if label == "map":
            entry = made.nested_type.add(name=f"{''.join(part.title() for part in name.split('_'))}Entry")
            entry.options.map_entry = True
            _message(entry, {"key": (1, "string"), "value": (2, kind)}, package, enums)
            field.label, field.type = _LABELS.LABEL_REPEATED, FieldDescriptorProto.TYPE_MESSAGE
            field.type_name = f".{package}.{made.name}.{entry.name}"
            continue
        _typed(field, kind, package, enums)
        if label == "repeated":
            field.label = _LABELS.LABEL_REPEATED
        elif label:
            field.oneof_index = choices.index(groups[name])
            field.proto3_optional = label == "optional"


def _group(name: str, label: str = "") -> str:
    """The oneof that a field belongs to; an optional scalar has one of its own."""
    return {"": "", "map": "", "repeated": "", "optional": f"_{name}"}.get(label, label)


def _typed(field: FieldDescriptorProto, kind: str, package: str, enums: frozenset[str]) -> None:
    if kind in _SCALARS:
        field.type = _SCALARS[kind]
        return
    field.type = FieldDescriptorProto.TYPE_ENUM if kind in enums else FieldDescriptorProto.TYPE_MESSAGE
    field.type_name = f".google.protobuf.{kind}" if kind.endswith("Value") else f".{package}.{kind}"
