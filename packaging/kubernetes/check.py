#!/usr/bin/python3
"""Checks rendered manifests: packaging/kubernetes/check.py SCHEMAS FILE...

SCHEMAS is the folder kubernetes-json-schema of the PyPI package kubernetes-validate. Each document of a FILE is validated
against the strict schemas of Kubernetes 1.28 and of the newest version there; custom resources against what their
documentation requires. Then the policies: nothing privileged, limits set, a read-only root, no other user than 1000.
"""
import json
import pathlib
import re
import sys
import urllib.parse

import jsonschema
import yaml

# Custom resources: the fields of `spec` that exist in these manifests' API version, and those that are required.
CUSTOM = {
    ("monitoring.coreos.com/v1", "ServiceMonitor"): (
        {"selector", "endpoints", "jobLabel", "targetLabels", "namespaceSelector", "sampleLimit"},
        {"selector", "endpoints"},
    ),
    ("monitoring.coreos.com/v1", "PrometheusRule"): ({"groups"}, {"groups"}),
    ("cert-manager.io/v1", "Certificate"): (
        {"secretName", "dnsNames", "duration", "renewBefore", "privateKey", "usages", "issuerRef", "commonName"},
        {"secretName", "dnsNames", "issuerRef"},
    ),
    ("gateway.networking.k8s.io/v1", "HTTPRoute"): ({"parentRefs", "hostnames", "rules"}, {"parentRefs", "rules"}),
}


class Resolver(jsonschema.RefResolver):
    """Follows JSON pointers only: these schemas have no anchors, for which every pointer would be searched as well."""

    def resolve_fragment(self, document, fragment):
        for part in filter(None, fragment.split("/")):
            document = document[urllib.parse.unquote(part).replace("~1", "/").replace("~0", "~")]
        return document


class Schemas:
    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.definitions = {}

    def versions(self):
        """1.28 and the newest."""
        found = {re.fullmatch(r"v([\d.]+)-local-strict", entry.name) for entry in self.folder.iterdir()}
        versions = {match[1] for match in found if match}
        newest = max(versions, key=lambda text: [int(part) for part in text.split(".")])
        return [next(version for version in versions if version.startswith("1.28.")), newest]

    def validate(self, document, version):
        """Messages about what is wrong with `document`."""
        folder = self.folder / f"v{version}-local-strict"
        api = re.sub(r"^([^./]*)(?:\.[^/]*)?/", r"\1-", document["apiVersion"])
        path = folder / f"{document['kind'].lower()}-{api}.json"
        if not path.is_file():
            return [f"Kubernetes {version} has no {document['apiVersion']} {document['kind']}"]
        if version not in self.definitions:
            self.definitions[version] = json.loads((folder / "_definitions.json").read_bytes())
        schema = json.loads(path.read_bytes())
        definitions = self.definitions[version]
        resolver = Resolver(
            schema.get("$id", ""), schema, store={definitions["$id"]: definitions, schema.get("$id", ""): schema}
        )
        validator = jsonschema.Draft202012Validator(schema, resolver=resolver)
        return [
            f"{'.'.join(str(part) for part in error.absolute_path)}: {error.message}"
            for error in validator.iter_errors(document)
        ]


def custom(document):
    known, required = CUSTOM[(document["apiVersion"], document["kind"])]
    spec = set(document.get("spec", {}))
    return [f"spec.{name} does not exist" for name in spec - known] + [
        f"spec.{name} is required" for name in required - spec
    ]


def policies(document):
    """What a restricted namespace and our own rules refuse."""
    if document["kind"] not in ("StatefulSet", "Deployment", "Job", "CronJob"):
        return []
    spec = document["spec"]
    if document["kind"] == "CronJob":
        spec = spec["jobTemplate"]["spec"]
    pod = spec["template"]["spec"]
    wrong = []
    context = pod.get("securityContext", {})
    if context.get("runAsNonRoot") is not True or context.get("runAsUser") != 1000:
        wrong.append("the pod must run as user 1000")
    if context.get("seccompProfile", {}).get("type") != "RuntimeDefault":
        wrong.append("seccompProfile must be RuntimeDefault")
    wrong += [f"{name} must not be set" for name in ("hostNetwork", "hostPID", "hostIPC") if pod.get(name)]
    wrong += [f"volume {volume['name']} is of the host" for volume in pod.get("volumes", []) if "hostPath" in volume]
    for container in pod["containers"] + pod.get("initContainers", []):
        name = container["name"]
        context = container.get("securityContext", {})
        if context.get("privileged") or context.get("allowPrivilegeEscalation") is not False:
            wrong.append(f"{name}: privileges")
        if context.get("readOnlyRootFilesystem") is not True:
            wrong.append(f"{name}: the root file system must be read-only")
        if context.get("capabilities", {}).get("drop") != ["ALL"] or context.get("capabilities", {}).get("add"):
            wrong.append(f"{name}: all capabilities must be dropped")
        limits = container.get("resources", {}).get("limits", {})
        wrong += [f"{name}: no limit of {kind}" for kind in ("cpu", "memory") if kind not in limits]
        if container["image"].endswith(":latest") or ":" not in container["image"]:
            wrong.append(f"{name}: the image {container['image']} has no version")
        if document["kind"] in ("StatefulSet", "Deployment"):
            wrong += [
                f"{name}: no {probe}"
                for probe in ("startupProbe", "livenessProbe", "readinessProbe")
                if probe not in container
            ]
    return wrong


def references(documents):
    """Names that stand for nothing."""
    names = {(document["kind"], document["metadata"]["name"]) for document in documents}
    wrong = []
    spaces = {document["metadata"].get("namespace") for document in documents if document["kind"] != "Namespace"}
    if len(spaces) > 1:
        wrong.append(f"the namespaces {sorted(map(str, spaces))}: an overlay must set one for everything")
    pods = [
        document["spec"]["template"]["metadata"]["labels"] for document in documents if document["kind"] == "StatefulSet"
    ]

    def needs(kind, name, where):
        if (kind, name) not in names:
            wrong.append(f"{where} names the {kind} {name}, which is not there")

    for document in documents:
        where = f"{document['kind']} {document['metadata']['name']}"
        spec = document.get("spec", {})
        if document["kind"] == "StatefulSet":
            needs("Service", spec["serviceName"], where)
            needs("ServiceAccount", spec["template"]["spec"]["serviceAccountName"], where)
            for volume in spec["template"]["spec"]["volumes"]:
                if "configMap" in volume:
                    needs("ConfigMap", volume["configMap"]["name"], where)
        if document["kind"] == "NetworkPolicy":
            wanted = spec["podSelector"].get("matchLabels", {})
            if not any(wanted.items() <= labels.items() for labels in pods):
                wrong.append(f"{where} selects no pod: {wanted}")
        if document["kind"] == "HorizontalPodAutoscaler":
            needs(spec["scaleTargetRef"]["kind"], spec["scaleTargetRef"]["name"], where)
        if document["kind"] == "RoleBinding":
            needs("Role", document["roleRef"]["name"], where)
            needs("ServiceAccount", document["subjects"][0]["name"], where)
        if document["kind"] == "Role":
            verbs = {verb for rule in document["rules"] for verb in rule["verbs"]}
            if not verbs <= {"get", "patch"}:
                wrong.append(f"{where} grants {verbs - {'get', 'patch'}}, which nothing uses")
    return wrong


def main(folder, paths):
    schemas = Schemas(folder)
    failures = 0
    for path in paths:
        with open(path, encoding="utf-8") as file:
            documents = [document for document in yaml.safe_load_all(file) if document]
        wrong = references(documents)
        for document in documents:
            where = f"{document['kind']} {document['metadata']['name']}"
            if (document["apiVersion"], document["kind"]) in CUSTOM:
                found = custom(document)
            else:
                found = [text for version in schemas.versions() for text in schemas.validate(document, version)]
            wrong += [f"{where}: {text}" for text in found + policies(document)]
        for text in wrong:
            print(f"{path}: {text}")
        failures += len(wrong)
        print(f"{path}: {len(documents)} documents, {len(wrong)} faults")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
