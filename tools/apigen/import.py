#!/usr/bin/env python3
"""Makes models/<service>.json from the service models of an installed botocore.

Runs rarely, by hand, after operations.json changed:  python3 tools/apigen/import.py [SERVICE...]
Keeps the operations that operations.json names, with their shapes, constraints, errors and wire names; of all other operations
only the names, so that a request for one can be answered by name. Drops all prose.
"""

import gzip
import json
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
MODELS = HERE.parent.parent / "models"

SHAPE_KEYS = ("type", "required", "min", "max", "pattern", "enum", "sensitive", "flattened", "document", "union",
              "timestampFormat", "locationName")
REFERENCE_KEYS = ("locationName", "flattened", "xmlAttribute", "timestampFormat", "location")


def botocore_data():
    try:
        import botocore
    except ImportError:
        sys.exit("import.py: needs botocore, whose service models it reads (python3 -m pip install botocore)")
    return pathlib.Path(botocore.__file__).parent / "data"


def load_service(data, service):
    """The newest version of the service's model."""
    versions = sorted(path for path in (data / service).glob("*") if path.is_dir())
    if not versions:
        sys.exit(f"import.py: botocore knows no service '{service}'")
    packed = versions[-1] / "service-2.json.gz"
    if packed.exists():
        return json.loads(gzip.decompress(packed.read_bytes()))
    return json.loads((versions[-1] / "service-2.json").read_text())


def reference(source):
    """A member, list item, map key or map value: the shape's name and how it is called on the wire."""
    return {"shape": source["shape"], **{key: source[key] for key in REFERENCE_KEYS if key in source}}


def clean_shape(source):
    shape = {key: source[key] for key in SHAPE_KEYS if key in source}
    if "required" in shape:
        shape["required"] = sorted(shape["required"])
    if source["type"] == "structure":
        # The model's order of members is kept: it is the order that clients see.
        shape["members"] = {name: reference(member) for name, member in source.get("members", {}).items()}
    for key in ("member", "key", "value"):
        if key in source:
            shape[key] = reference(source[key])
    return shape


def without_bounds(shape):
    """Of a shape whose limits have an error of their own, other than the service's validation error."""
    return {key: value for key, value in shape.items() if key not in ("min", "max", "pattern")}


def reachable(shapes, roots):
    """Names of all shapes that the roots lead to."""
    found, todo = set(), list(roots)
    while todo:
        name = todo.pop()
        if name in found:
            continue
        found.add(name)
        shape = shapes[name]
        todo += [member["shape"] for member in shape.get("members", {}).values()]
        todo += [shape[key]["shape"] for key in ("member", "key", "value") if key in shape]
    return found


def clean_error(name, shape):
    error = shape.get("error", {})
    return {"code": error.get("code", name),
            "status": error.get("httpStatusCode", 500 if shape.get("fault") else 400)}


def import_service(data, service, wanted):
    source = load_service(data, service)
    unknown = sorted(set(wanted["operations"]) - set(source["operations"]))
    if unknown:
        sys.exit(f"import.py: {service} has no operation {', '.join(unknown)}")

    meta = source["metadata"]
    operations, roots = {}, []
    for name in sorted(wanted["operations"]):
        operation = source["operations"][name]
        kept = {"method": operation["http"]["method"], "uri": operation["http"]["requestUri"]}
        for side in ("input", "output"):
            if side in operation:
                kept[side] = reference(operation[side])
                if "resultWrapper" in operation[side]:
                    kept[side]["resultWrapper"] = operation[side]["resultWrapper"]
                roots.append(operation[side]["shape"])
        kept["errors"] = sorted(error["shape"] for error in operation.get("errors", []))
        operations[name] = kept

    shapes = {name: clean_shape(source["shapes"][name]) for name in sorted(reachable(source["shapes"], roots))}
    own_checks = wanted.get("checked_by_the_operation", [])
    if absent := sorted(set(own_checks) - set(shapes)):
        sys.exit(f"import.py: {service} has no shape {', '.join(absent)}")

    return {
        "service": service,
        "metadata": {
            "api_version": meta["apiVersion"],
            "protocol": meta["protocol"],
            "json_version": meta.get("jsonVersion", ""),
            "endpoint_prefix": meta["endpointPrefix"],
            "signing_name": meta.get("signingName", meta["endpointPrefix"]),
            "target_prefix": meta.get("targetPrefix", ""),
            "xml_namespace": meta.get("xmlNamespace", ""),
            "validation_error": wanted["validation_error"],
        },
        "operations": operations,
        "other_operations": sorted(set(source["operations"]) - set(operations)),
        "errors": {name: clean_error(name, shape) for name, shape in sorted(source["shapes"].items())
                   if shape.get("exception")},
        "shapes": {name: without_bounds(shape) if name in own_checks else shape for name, shape in shapes.items()},
    }


def main():
    wanted = json.loads((HERE / "operations.json").read_text())
    data = botocore_data()
    MODELS.mkdir(exist_ok=True)
    for service in sys.argv[1:] or sorted(wanted):
        if service not in wanted:
            sys.exit(f"import.py: operations.json has no service '{service}'")
        model = import_service(data, service, wanted[service])
        path = MODELS / f"{service}.json"
        path.write_text(json.dumps(model, indent=1, ensure_ascii=True) + "\n")
        print(f"{path.name}: {len(model['operations'])} operations, {len(model['shapes'])} shapes, "
              f"{len(model['other_operations'])} names of others")


main()
