#!/usr/bin/env python3
"""Makes C++ from models/<service>.json, at build time:

    generate.py MODEL OUTPUT_DIR PARTS

writes SERVICE.h (structures, operations, names), SERVICE_rules.h (constraints), SERVICE.cpp (the service's tables) and PARTS
files SERVICE_<n>.cpp (codecs) to OUTPUT_DIR. How the result looks: src/aws/README.md.
"""

import json
import pathlib
import re
import sys

RESERVED = set("""alignas alignof and and_eq asm auto bitand bitor bool break case catch char class compl concept const consteval
constexpr constinit const_cast continue co_await co_return co_yield decltype default delete do double dynamic_cast else enum explicit
export extern false float for friend goto if inline int long mutable namespace new noexcept not not_eq nullptr operator or or_eq
private protected public register reinterpret_cast requires return short signed sizeof static static_assert static_cast struct switch
template this thread_local throw true try typedef typeid typename union unsigned using virtual void volatile wchar_t while xor xor_eq
NULL EOF DOMAIN OVERFLOW UNDERFLOW TRUE FALSE ERROR linux unix major minor""".split())

SCALARS = {"string": "std::string", "integer": "std::int32_t", "long": "std::int64_t", "double": "double",
           "float": "double", "boolean": "bool", "timestamp": "Time", "blob": "Blob", "character": "std::string"}


def identifier(name):
    name = re.sub(r"[^A-Za-z0-9_]", "_", name)
    if name[:1].isdigit():
        name = "_" + name
    return name + "_" if name in RESERVED else name


def text(value):
    """A C++ string literal of any text."""
    out = ""
    for byte in value.encode():
        char = chr(byte)
        out += {'"': '\\"', "\\": "\\\\"}.get(char, char if 0x20 <= byte < 0x7F else f"\\{byte:03o}")
    return f'"{out}"'


def byte_regex(pattern):
    """The model's pattern (Java, UTF-16) for a matcher of whole texts that sees bytes of UTF-8: everything beyond ASCII is let
    through where the pattern allows any of it."""
    beyond = r"\x80-\xff"
    # A range that starts in ASCII and ends beyond it, or lies beyond: as far as bytes can tell.
    def unicode_range(match):
        first, last = int(match[1], 16), int(match[2], 16)
        if first > 0x7F:
            return beyond
        return f"\\x{first:02x}-\\x{min(last, 0x7F):02x}" + (beyond if last > 0x7F else "")

    def unicode_char(match):
        code = int(match[1], 16)
        return beyond if code > 0x7F else f"\\x{code:02x}"

    # "\u10000-\u10FFFF" is how some models write U+10000-U+10FFFF.
    pattern = re.sub(r"\\u10000-\\u10FFFF", lambda _: beyond, pattern)
    pattern = re.sub(r"\\u([0-9A-Fa-f]{4})-\\u([0-9A-Fa-f]{4})", unicode_range, pattern)
    pattern = re.sub(r"\\u([0-9A-Fa-f]{4})", unicode_char, pattern)
    pattern = pattern.replace(r"\p{L}", "A-Za-z" + beyond).replace(r"\p{N}", "0-9" + beyond)
    pattern = pattern.replace(r"\p{Z}", " " + beyond)
    # "[0-9-_]": Java takes the hyphen after a range for itself.
    pattern = re.sub(r"(\[[^\]]*[A-Za-z0-9]-[A-Za-z0-9])-(?=[^\]])", r"\1\\-", pattern)
    if r"\p" in pattern or r"\u" in pattern:
        sys.exit(f"generate.py: cannot translate the pattern {pattern}")
    return pattern


class Permissions:
    """models/permissions/<service>.json: what each operation asks of the policies."""

    RULES = {"asked": "asked", "everybody": "everybody", "own": "own", "unsigned": "unsigned_"}

    def __init__(self, path):
        self.path = path
        data = json.loads(path.read_text())
        self.resources, self.operations = data["resources"], data["operations"]

    def template(self, value):
        if not value.startswith("@"):
            return value
        if value[1:] not in self.resources:
            sys.exit(f"generate.py: {self.path.name}: no resource is called {value}")
        return self.resources[value[1:]]

    def check(self, served, known):
        missing, unknown = sorted(set(served) - set(self.operations)), sorted(set(self.operations) - set(known))
        if missing or unknown:
            sys.exit(f"generate.py: {self.path.name}: rows missing: {', '.join(missing)}; no such operation: {', '.join(unknown)}")

    def lines(self, operation):
        """The tables of one operation, and its row."""
        row = self.operations[operation]
        stray = set(row) - {"rule", "resource", "conditions", "passes"}
        if stray:
            sys.exit(f"generate.py: {self.path.name}: {operation} has unknown members {', '.join(stray)}")
        out, name = [], identifier(operation)
        conditions = {key: self.template(value) for key, value in row.get("conditions", {}).items()}
        if conditions:
            rows = ", ".join(f"{{{text(key)}, {text(value)}}}" for key, value in conditions.items())
            out.append(f"constexpr ConditionRow conditions_of_{name}[] = {{{rows}}};")
        passes = row.get("passes", {})
        if passes:
            rows = ", ".join(f"{{{text('{' + role + ':role}')}, {text(service)}}}" for role, service in passes.items())
            out.append(f"constexpr PassedRoleRow passes_of_{name}[] = {{{rows}}};")
        permission = (f"{{Permission::{self.RULES[row.get('rule', 'asked')]}, {text(self.template(row.get('resource', '')))}, "
                      f"{f'conditions_of_{name}' if conditions else '{}'}, {f'passes_of_{name}' if passes else '{}'}}}")
        return out, permission


class Service:
    def __init__(self, model, permissions):
        self.model = model
        self.permissions = permissions
        permissions.check(model["operations"], [*model["operations"], *model["other_operations"]])
        self.name = model["service"]
        self.shapes = model["shapes"]
        self.query = model["metadata"]["protocol"] in ("query", "ec2")
        self.add_empty_shapes()
        self.structures = self.in_order()
        self.check_names()

    def add_empty_shapes(self):
        """Operations without input or output get an empty structure, so that all look alike."""
        for name, operation in self.model["operations"].items():
            for side, suffix in (("input", "Request"), ("output", "Response")):
                if side not in operation:
                    operation[side] = {"shape": name + suffix}
                    self.shapes.setdefault(name + suffix, {"type": "structure", "members": {}})

    def is_structure(self, name):
        return self.shapes[name]["type"] == "structure" and not self.shapes[name].get("document")

    def in_order(self):
        """Structures, each after those it contains."""
        done, order = set(), []

        def visit(name, path):
            if name in path:
                sys.exit(f"generate.py: {self.name}: {name} contains itself, which the generated types cannot")
            if name in done:
                return
            shape = self.shapes[name]
            for child in [*shape.get("members", {}).values(), *(shape[k] for k in ("member", "key", "value") if k in shape)]:
                visit(child["shape"], path | {name})
            done.add(name)
            if self.is_structure(name):
                order.append(name)

        for name in sorted(self.shapes):
            visit(name, frozenset())
        return order

    def check_names(self):
        clash = set(self.structures) & set(self.model["operations"])
        if clash:
            sys.exit(f"generate.py: {self.name}: both a shape and an operation are called {', '.join(sorted(clash))}")

    def cpp_type(self, name):
        shape = self.shapes[name]
        kind = shape["type"]
        if kind == "structure":
            return "json::value" if shape.get("document") else identifier(name)
        if kind == "list":
            return f"std::vector<{self.cpp_type(shape['member']['shape'])}>"
        if kind == "map":
            return f"std::map<std::string, {self.cpp_type(shape['value']['shape'])}>"
        return SCALARS[kind]

    def rule(self, name):
        return f"rule_{identifier(name)}" if self.has_rule(name) else "no_rule"

    def has_rule(self, name):
        shape = self.shapes[name]
        return shape["type"] in ("list", "map") or any(k in shape for k in ("min", "max", "pattern", "enum", "sensitive"))

    # ---- header

    def structure(self, name):
        shape = self.shapes[name]
        required = set(shape.get("required", []))
        members = shape["members"]
        lines = [f"struct {identifier(name)} {{"]
        for member, ref in members.items():
            cpp = self.cpp_type(ref["shape"])
            # A member named like a type would change the meaning of that name inside the structure.
            cpp = re.sub(r"\b(\w+)\b(?!:)", lambda m: f"{self.name}::{m[1]}" if m[1] in members and m[1] in self.shapes else m[1], cpp)
            if member not in required:
                cpp = f"std::optional<{cpp}>"
            lines.append(f"  {cpp} {identifier(member)}{{}};")
        lines += [f"  bool operator==(const {identifier(name)}&) const = default;", "};"]
        return lines

    def header(self):
        out = ["#pragma once", f"// Made by tools/apigen/generate.py from models/{self.name}.json.", ""]
        out += ['#include "aws/codec.h"', '#include "aws/model.h"']
        out += ['#include "aws/xml_codec.h"'] if self.query else []
        out += ["", f"namespace kaapi::aws::{self.name} {{", ""]
        out += ["const ServiceInfo& info();", "std::span<const OperationInfo> operations();",
                "std::span<const std::string_view> all_operation_names();",
                "template <class T>", "const ServiceInfo& service_of(const T&) {", "  return info();", "}", ""]
        out += ["// Codes of the service's errors.", "namespace error {"]
        out += [f"inline constexpr std::string_view {identifier(name)} = {text(error['code'])};"
                for name, error in self.model["errors"].items()]
        out += ["}  // namespace error", ""]
        for name, shape in sorted(self.shapes.items()):
            if "enum" in shape:
                out += [f"namespace {identifier(name)} {{"]
                out += [f"inline constexpr std::string_view {identifier(value)} = {text(value)};" for value in shape["enum"]]
                out += [f"}}  // namespace {identifier(name)}"]
        out += [""]
        for name in self.structures:
            out += self.structure(name)
            cpp = identifier(name)
            out += [f"void read(Reader& reader, const json::value& from, {cpp}& to);",
                    f"void encode(JsonWriter& out, const {cpp}& from);"]
            if self.query:
                out += [f"void encode(XmlWriter& out, const {cpp}& from);", f"void encode(FormWriter& out, const {cpp}& from);"]
            out += [""]
        for name, operation in self.model["operations"].items():
            out += [f"struct {identifier(name)} {{",
                    f"  using Request = {identifier(operation['input']['shape'])};",
                    f"  using Response = {identifier(operation['output']['shape'])};",
                    f"  static constexpr std::string_view service = {text(self.name)};",
                    f"  static constexpr std::string_view name = {text(name)};",
                    f"  static constexpr Protocol protocol = Protocol::{'query' if self.query else 'json'};",
                    f"  static const ServiceInfo& info() {{ return {self.name}::info(); }}",
                    "};"]
        return out + ["", f"}}  // namespace kaapi::aws::{self.name}"]

    # ---- constraints

    def rule_lines(self, name, done):
        shape = self.shapes[name]
        fields = []
        for key in ("min", "max"):
            if key in shape:
                if int(shape[key]) != shape[key]:
                    sys.exit(f"generate.py: {self.name}: the bound {shape[key]} of {name} is no whole number")
                fields.append(f".{key} = {int(shape[key])}")
        if "pattern" in shape:
            fields += [f".pattern = {text(shape['pattern'])}", f".regex = {text(byte_regex(shape['pattern']))}"]
        lines = []
        if "enum" in shape:
            values = ", ".join(text(value) for value in shape["enum"])
            lines.append(f"inline constexpr std::string_view values_{identifier(name)}[] = {{{values}}};")
            fields.append(f".values = values_{identifier(name)}")
        item = shape.get("member") or shape.get("value")
        for ref in (item, shape.get("key")):
            if ref and self.is_rule_needed(ref["shape"], done):
                lines += self.rule_lines(ref["shape"], done)
        if item and shape["type"] in ("list", "map"):
            fields.append(f".item = &{self.rule(item['shape'])}")
        if "key" in shape:
            fields.append(f".key = &{self.rule(shape['key']['shape'])}")
        if self.query:
            if "locationName" in shape.get("member", {}):
                fields.append(f".item_name = {text(shape['member']['locationName'])}")
            for key in ("key", "value"):
                if "locationName" in shape.get(key, {}):
                    fields.append(f".{key}_name = {text(shape[key]['locationName'])}")
        fields += [f".{key} = true" for key in ("flattened", "sensitive") if shape.get(key)]
        lines.append(f"inline constexpr Rule rule_{identifier(name)}{{{', '.join(fields)}}};")
        done.add(name)
        return lines

    def is_rule_needed(self, name, done):
        return self.has_rule(name) and name not in done

    def rules(self):
        done = set()
        out = ["#pragma once", f"// Made by tools/apigen/generate.py from models/{self.name}.json.", "",
               '#include "aws/model.h"', "", f"namespace kaapi::aws::{self.name} {{", "", "inline constexpr Rule no_rule{};"]
        for name in sorted(self.shapes):
            if self.is_rule_needed(name, done) and not self.is_structure(name):
                out += self.rule_lines(name, done)
        return out + ["", f"}}  // namespace kaapi::aws::{self.name}"]

    # ---- codecs

    def codec(self, name):
        shape, cpp = self.shapes[name], identifier(name)
        unused = "" if shape["members"] else "[[maybe_unused]] "
        out = ["template <class V, class T>", f"void fields_{cpp}({unused}V& v, {unused}T& t) {{"]
        for member, ref in shape["members"].items():
            wire = ref.get("locationName", member) if self.query else member
            rule = self.rule(ref["shape"]) if not self.is_structure(ref["shape"]) else "no_rule"
            out.append(f"  v({text(wire)}, t.{identifier(member)}, {rule});")
        out += ["}",
                f"void read(Reader& reader, const json::value& from, {cpp}& to) {{",
                "  Reader::Members members(reader, from);",
                f"  if (members) fields_{cpp}(members, to);", "}",
                f"void encode(JsonWriter& out, const {cpp}& from) {{",
                "  out.begin_object();", "  JsonFields fields{out};", f"  fields_{cpp}(fields, from);", "  out.end_object();", "}"]
        if self.query:
            for writer, visitor in (("XmlWriter", "XmlFields"), ("FormWriter", "FormFields")):
                out += [f"void encode({writer}& out, const {cpp}& from) {{", f"  {visitor} fields{{out}};",
                        f"  fields_{cpp}(fields, from);", "}"]
        return out

    def part(self, names):
        out = [f"// Made by tools/apigen/generate.py from models/{self.name}.json.", f'#include "aws/gen/{self.name}.h"',
               f'#include "aws/gen/{self.name}_rules.h"', "", f"namespace kaapi::aws::{self.name} {{", ""]
        for name in names:
            out += self.codec(name)
        return out + ["", f"}}  // namespace kaapi::aws::{self.name}"]

    # ---- tables

    def tables(self):
        meta = self.model["metadata"]
        operations = self.model["operations"]
        errors = self.model["errors"]
        out = [f"// Made by tools/apigen/generate.py from models/{self.name}.json.", f'#include "aws/gen/{self.name}.h"', "",
               f"namespace kaapi::aws::{self.name} {{", "namespace {", ""]
        for name, operation in operations.items():
            codes = ", ".join(text(errors[error]["code"]) for error in operation["errors"])
            if codes:
                out.append(f"constexpr std::string_view errors_of_{identifier(name)}[] = {{{codes}}};")
        rows = {}
        for name in operations:
            lines, rows[name] = self.permissions.lines(name)
            out += lines
        out.append("constexpr OperationInfo operation_table[] = {")
        for name, operation in operations.items():
            listed = f"errors_of_{identifier(name)}" if operation["errors"] else "{}"
            out.append(f"    {{{text(name)}, {text(operation['output'].get('resultWrapper', ''))}, {listed}, {rows[name]}}},")
        out.append("};")
        names = sorted([*operations, *self.model["other_operations"]])
        out.append(f"constexpr std::string_view name_table[] = {{{', '.join(text(name) for name in names)}}};")
        table = sorted({(error["code"], error["status"]) for error in errors.values()})
        out.append(f"constexpr ErrorInfo error_table[] = {{{', '.join(f'{{{text(c)}, {s}}}' for c, s in table)}}};")
        out += ["constexpr ServiceInfo service_info{",
                f"    .name = {text(self.name)},",
                f"    .signing_name = {text(meta['signing_name'])},",
                f"    .protocol = Protocol::{'query' if self.query else 'json'},"]
        out += [f"    .{key} = {text(meta[key])}," for key in
                ("endpoint_prefix", "json_version", "target_prefix", "api_version", "xml_namespace", "validation_error")]
        out += ["    .operations = operation_table,", "    .all_names = name_table,", "    .errors = error_table};", "",
                "}  // namespace", "",
                "const ServiceInfo& info() {", "  return service_info;", "}",
                "std::span<const OperationInfo> operations() {", "  return operation_table;", "}",
                "std::span<const std::string_view> all_operation_names() {", "  return name_table;", "}", "",
                f"}}  // namespace kaapi::aws::{self.name}"]
        return out


def main():
    if len(sys.argv) != 4:
        sys.exit("usage: generate.py MODEL OUTPUT_DIR PARTS")
    path = pathlib.Path(sys.argv[1])
    permissions = Permissions(path.parent / "permissions" / path.name)
    service = Service(json.loads(path.read_text()), permissions)
    folder, parts = pathlib.Path(sys.argv[2]), int(sys.argv[3])
    folder.mkdir(parents=True, exist_ok=True)

    files = {f"{service.name}.h": service.header(), f"{service.name}_rules.h": service.rules(),
             f"{service.name}.cpp": service.tables()}
    for index in range(parts):
        files[f"{service.name}_{index}.cpp"] = service.part(service.structures[index::parts])
    for name, lines in files.items():
        (folder / name).write_text("\n".join(lines) + "\n")


main()
