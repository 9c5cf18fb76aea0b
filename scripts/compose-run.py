#!/usr/bin/env python3
"""Runs packaging/compose/compose.yml with podman, as compose does: networks, volumes, secrets, order, conditions.

    compose-run.py COMPOSE_FILE [--without SERVICE]... -- PODMAN...

PODMAN is the command with its global options. Ends when all containers run and those with a health check are healthy; exit
code 1 names the first that does not. Only what this file uses is understood; anything else in it is an error.
"""
import json
import os
import re
import subprocess
import sys
import time

import yaml

split = sys.argv.index("--")
path, options, podman = sys.argv[1], sys.argv[2:split], sys.argv[split + 1:]
without = {options[index + 1] for index, word in enumerate(options) if word == "--without"}
here = os.path.dirname(os.path.abspath(path))
variables = dict(
    line.split("=", 1) for line in open(os.path.join(here, ".env")).read().splitlines()
    if "=" in line and not line.startswith("#"))
text = re.sub(r"\$\{(\w+)\}", lambda match: variables[match.group(1)], open(path).read())
stack = yaml.safe_load(text)
project = stack["name"]
known = {
    "image", "restart", "read_only", "cap_drop", "security_opt", "build", "command", "tmpfs", "ports", "volumes", "secrets",
    "depends_on", "deploy", "environment", "healthcheck", "user", "entrypoint",
}


def run(*words, check=True):
    result = subprocess.run([*podman, *words], capture_output=True, text=True)
    if check and result.returncode:
        sys.exit("podman %s: %s" % (" ".join(words[:3]), result.stderr.strip()))
    return result


def wait(what, seconds, test):
    for _ in range(seconds * 5):
        if test():
            return
        time.sleep(0.2)
    sys.exit("%s\n%s" % (what, run("ps", "-a").stdout))


def start(name):
    service = stack["services"][name]
    unknown = set(service) - known
    if unknown:
        sys.exit("%s: compose-run.py does not know %s" % (name, ", ".join(sorted(unknown))))
    for other, condition in service.get("depends_on", {}).items():
        await_condition(other, condition["condition"])
    words = ["run", "-d", "--name", project + "-" + name, "--hostname", name, "--network", project, "--network-alias", name]
    words += ["--read-only", "--read-only-tmpfs=false"] if service.get("read_only") else []
    words += ["--cap-drop=" + capability for capability in service.get("cap_drop", [])]
    words += ["--security-opt=" + option.replace("no-new-privileges:true", "no-new-privileges")
              for option in service.get("security_opt", [])]
    words += ["--tmpfs=" + directory for directory in service.get("tmpfs", [])]
    words += ["--publish=" + port for port in service.get("ports", [])]
    words += ["--env=%s=%s" % pair for pair in service.get("environment", {}).items()]
    words += ["--user=" + service["user"]] if "user" in service else []
    for volume in service.get("volumes", []):
        source, rest = volume.split(":", 1)
        if source.startswith("."):
            source = os.path.normpath(os.path.join(here, source))
        else:
            source = project + "_" + source
        words.append("--volume=%s:%s" % (source, rest))
    for secret in service.get("secrets", []):
        # Compose writes a secret of the environment to a file that every user of the container can read.
        words.append("--secret=%s,mode=0444" % secret)
    entrypoint = service.get("entrypoint")
    if entrypoint:
        words.append("--entrypoint=" + json.dumps(entrypoint))
    run(*words, service["image"], *service.get("command", []))


def await_condition(name, condition):
    container = project + "-" + name
    if condition == "service_completed_successfully":
        status = int(run("wait", container).stdout.strip())
        if status:
            sys.exit("%s ended with %d" % (name, status))
    if condition == "service_healthy":
        test = stack["services"][name]["healthcheck"]["test"]
        wait(name + " is not healthy", 60, lambda: run("exec", container, *test[1:], check=False).returncode == 0)


run("network", "create", project)
for name, source in stack.get("secrets", {}).items():
    value = variables[source["environment"]]
    subprocess.run([*podman, "secret", "create", name, "-"], input=value, text=True, check=True, stdout=subprocess.DEVNULL)
services = [name for name in stack["services"] if name not in without]
started = []
while len(started) < len(services):
    ready = [name for name in services if name not in started
             and all(other in started for other in stack["services"][name].get("depends_on", {}))]
    for name in ready:
        start(name)
        started.append(name)
for name in services:
    if stack["services"][name].get("restart"):
        state = run("inspect", "--format", "{{.State.Status}}", project + "-" + name).stdout.strip()
        if state != "running":
            sys.exit("%s is %s: %s" % (name, state, run("logs", project + "-" + name).stderr[-500:]))
print("%d containers" % len(services))
