#!/usr/bin/env python3
"""Prints the software bill of materials of a built program, in CycloneDX 1.5: packaging/sbom.py PROGRAM VERSION

Its parts are the Swift runtime, which is linked statically, and the Debian packages of the libraries that it names or that
its web application contains. The same program on the same system gives the same bytes.
"""
import datetime
import hashlib
import json
import os
import re
import subprocess
import sys
import uuid


def run(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def debian(package, **more):
    """The component of an installed Debian package."""
    name, version, architecture, source = run(
        "dpkg-query", "-W", "-f", "${Package}\t${Version}\t${Architecture}\t${source:Package}", package
    ).split("\t")
    return {
        "type": "library",
        "bom-ref": f"deb/{name}",
        "name": name,
        "version": version,
        "purl": f"pkg:deb/debian/{name}@{version}?arch={architecture}",
        "properties": [{"name": "debian:source", "value": source}],
        **more,
    }


def libraries(program):
    """Names of the Debian packages that hold the libraries of `program`, with versions and architectures."""
    names = {os.path.basename(path) for path in re.findall(r"(/[^ ]+)", run("ldd", program))}
    packages = set()
    for name in sorted(names):
        found = subprocess.run(["dpkg", "-S", "*/" + name], capture_output=True, text=True).stdout
        for line in found.splitlines():
            package = line.split(": ")[0]
            if not line.startswith("diversion") and not package.split(":")[0].endswith(("-dev", "-dbg")):
                packages.add(package)
    for package in sorted(packages):
        yield debian(package)
    # Bundled into the web application (scripts/web.sh).
    for package in ("libjs-codemirror", "libjs-dygraphs", "node-preact"):
        yield debian(package, licenses=[{"license": {"id": "MIT"}}])


def document(program, version):
    with open(program, "rb") as file:
        digest = hashlib.sha256(file.read()).hexdigest()
    swift = re.search(r"Swift version ([\d.]+)", run("swift", "--version"))[1]
    components = list(libraries(program))
    components.append(
        {
            "type": "library",
            "bom-ref": "swift-runtime",
            "name": "swift-runtime",
            "version": swift,
            "purl": f"pkg:github/swiftlang/swift@swift-{swift}-RELEASE",
            "licenses": [{"license": {"id": "Apache-2.0"}}],
            "properties": [{"name": "linkage", "value": "static"}],
        }
    )
    moment = datetime.datetime.fromtimestamp(int(os.environ.get("SOURCE_DATE_EPOCH", "0")), datetime.timezone.utc)
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "serialNumber": "urn:uuid:" + str(uuid.uuid5(uuid.NAMESPACE_OID, digest)),
        "version": 1,
        "metadata": {
            "timestamp": moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "component": {
                "type": "application",
                "bom-ref": "tribune",
                "name": "tribune",
                "version": version,
                "licenses": [{"license": {"id": "Apache-2.0"}}],
                "hashes": [{"alg": "SHA-256", "content": digest}],
            },
        },
        "components": components,
        "dependencies": [
            {"ref": "tribune", "dependsOn": [component["bom-ref"] for component in components]},
        ],
    }


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    print(json.dumps(document(sys.argv[1], sys.argv[2]), indent=2))
