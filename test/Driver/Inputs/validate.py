"""validate.py SCHEMA < JSON: checks the part of JSON Schema that docs/schema uses, and that nothing undocumented is there."""
import json
import sys

TYPES = {"object": dict, "array": list, "string": str, "integer": int, "number": (int, float), "boolean": bool, "null": type(None)}


def check(value, schema, root, path):
    """Findings of one value."""
    if "$ref" in schema:
        schema = root["$defs"][schema["$ref"].rsplit("/", 1)[1]]
    types = schema.get("type", [])
    types = [types] if isinstance(types, str) else types
    if types and not any(isinstance(value, TYPES[t]) and (t == "boolean") == isinstance(value, bool) for t in types):
        yield f"{path}: {value!r} is not {types}"
    if "const" in schema and value != schema["const"]:
        yield f"{path}: {value!r} is not {schema['const']!r}"
    if "enum" in schema and value not in schema["enum"]:
        yield f"{path}: {value!r} is none of {schema['enum']}"
    if isinstance(value, dict):
        for key in schema.get("required", []):
            if key not in value:
                yield f"{path}: '{key}' is missing"
        for key, member in value.items():
            below = schema.get("properties", {}).get(key, schema.get("additionalProperties"))
            if below is None:
                yield f"{path}: '{key}' is not documented"
            else:
                yield from check(member, below, root, f"{path}.{key}")
    if isinstance(value, list) and "items" in schema:
        for index, member in enumerate(value):
            yield from check(member, schema["items"], root, f"{path}[{index}]")


with open(sys.argv[1], encoding="utf-8") as file:
    schema = json.load(file)
findings = list(check(json.load(sys.stdin), schema, schema, "$"))
print("\n".join(findings) or "valid")
sys.exit(bool(findings))
