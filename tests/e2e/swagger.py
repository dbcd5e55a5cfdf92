"""As much of Swagger 2.0 as Alertmanager's description of its API uses: what a body must look like."""

import datetime


class Swagger:
    def __init__(self, document):
        self.document = document

    def resolve(self, node):
        while "$ref" in node:
            found = self.document
            for step in node["$ref"].removeprefix("#/").split("/"):
                found = found[step]
            node = found
        return node

    def operations(self):
        """(method, path, parameters by name, responses by status)."""
        for path, item in self.document["paths"].items():
            for method, operation in item.items():
                if method == "parameters":
                    continue
                parameters = [self.resolve(each) for each in item.get("parameters", []) + operation.get("parameters", [])]
                responses = {int(status): self.resolve(response) for status, response in operation["responses"].items()}
                yield method.upper(), path, {each["name"]: each for each in parameters}, responses

    def problems(self, value, schema, at="body"):
        """What of a value does not fit a schema; a field that the schema does not name is a problem too."""
        found, fields, is_open = [], self.fields(schema), self.is_open(schema)
        schema = self.resolve(schema)
        if fields is not None and isinstance(value, dict) and not is_open:
            found += [f"{at}.{name} is not described" for name in value if name not in fields]
        return found + self.mismatches(value, schema, at)

    def fields(self, schema):
        """Names of the properties of an object, `None` if it is none."""
        schema = self.resolve(schema)
        parts = [self.fields(each) for each in schema.get("allOf", [])]
        if parts:
            return set().union(*(part or set() for part in parts))
        return set(schema.get("properties", {})) if schema.get("type") == "object" else None

    def is_open(self, schema):
        return "additionalProperties" in self.resolve(schema)

    def mismatches(self, value, schema, at):
        schema, found = self.resolve(schema), []
        for part in schema.get("allOf", []):
            found += self.mismatches(value, part, at)
        kinds = {"object": dict, "array": list, "string": str, "boolean": bool}
        kind = kinds.get(schema.get("type"))
        if kind and not isinstance(value, kind):
            return [*found, f"{at} is {value!r}, want {schema['type']}"]
        if "enum" in schema and value not in schema["enum"]:
            found.append(f"{at} is {value!r}, want one of {schema['enum']}")
        if schema.get("format") == "date-time":
            try:
                datetime.datetime.fromisoformat(value.replace("Z", "+00:00"))
            except ValueError:
                found.append(f"{at} is {value!r}, want a date and time")
        if kind is list:
            if len(value) < schema.get("minItems", 0):
                found.append(f"{at} has {len(value)} items, want at least {schema['minItems']}")
            for index, item in enumerate(value):
                found += self.problems(item, schema["items"], f"{at}[{index}]")
        if kind is dict:
            found += [f"{at}.{name} is missing" for name in schema.get("required", []) if name not in value]
            for name, each in value.items():
                within = schema.get("properties", {}).get(name) or schema.get("additionalProperties")
                if within:
                    found += self.problems(each, within, f"{at}.{name}")
        return found
