"""Rules over the fleet: the cost of their evaluation for each server, in addition to scraping."""

import signal
import time


def write_rules(path, count, targets):
    """`count` rules as real files have them, each over the series of one target: rates by label, quantiles, ratios."""
    families = ["http_request", "grpc_request", "db_query", "queue_message"]
    with open(path, "w") as file:
        file.write("groups:\n")
        for index in range(count):
            if index % 50 == 0:
                file.write(f"  - name: group-{index // 50}\n    rules:\n")
            family = families[index // 3 % 4]
            target = f'instance="target-{index % targets}"'
            window = f"[{1 + index // targets % 5}m]"
            if index % 3 == 0:
                rule = f"record: r{index}\n        expr: sum by (handler, code) (rate({family}_handled_total{{{target}}}{window}))"
            elif index % 3 == 1:
                rule = f"record: r{index}\n        expr: histogram_quantile(0.99, sum by (handler, le) (rate({family}_duration_seconds_bucket{{{target}}}{window})))"
            else:
                rule = (
                    f"alert: R{index}\n        expr: 'sum(rate({family}_handled_total{{{target},code=~\"5..\"}}{window}))"
                    f" / sum(rate({family}_handled_total{{{target}}}{window})) > 2'"
                )
            file.write(f"      - {rule}\n")


def reload(servers):
    for server in servers:
        server.child.send_signal(signal.SIGHUP)


def cpu_over(servers, seconds):
    before = [server.cpu_seconds() for server in servers]
    begin = time.monotonic()
    time.sleep(seconds)
    elapsed = time.monotonic() - begin
    return [(server.cpu_seconds() - early) / elapsed for server, early in zip(servers, before)]


def evaluated(server, count):
    """Whether every rule was evaluated without an error."""
    groups = server.json("/api/v1/rules")["data"]["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    return len(rules) == count and all(rule["health"] == "ok" for rule in rules)


def measure_rules(servers, configuration, rules_path, settings):
    """Cores with the rules less cores without, for each server. Both evaluate every `settings.interval` seconds."""
    seconds = settings.minutes * 60
    without = cpu_over(servers, seconds)
    write_rules(rules_path, settings.rules, settings.targets)
    with open(configuration, "a") as file:
        file.write(f"rule_files: ['{rules_path}']\n")
    reload(servers)
    deadline = time.monotonic() + 60
    while not all(evaluated(server, settings.rules) for server in servers):
        if time.monotonic() > deadline:
            raise RuntimeError("the rules are not evaluated, or fail")
        time.sleep(1)
    having = cpu_over(servers, seconds)
    return without, having, [late - early for early, late in zip(without, having)]
