"""Writes what the fuzz targets know of ONNX: a C++ list of operators with their attributes, and a libFuzzer dictionary."""
import sys

import onnx.defs

latest = {}
for schema in onnx.defs.get_all_schemas_with_history():
    known = latest.setdefault((schema.domain, schema.name), {})
    known.update({name: int(attribute.type.value) for name, attribute in schema.attributes.items()})

rows, words = [], set()
for (domain, name), attributes in sorted(latest.items()):
    if domain.startswith("ai.onnx.preview"):
        continue
    words |= {name, *attributes}
    listed = ", ".join(f'{{"{attribute}", {kind}}}' for attribute, kind in sorted(attributes.items()))
    rows.append(f'{{"{domain}", "{name}", {{{listed}}}}},\n')

with open(sys.argv[1], "w", encoding="utf-8") as out:
    out.writelines(rows)
with open(sys.argv[2], "w", encoding="utf-8") as out:
    out.writelines(f'"{word}"\n' for word in sorted(words))
