internal import CurlHTTP
internal import Hiredis
internal import History
internal import PostgreSQL
internal import RemoteQuery
internal import Rollback
internal import YAML

extension LoadedConfiguration {
    /// The connections of the configuration that leave this machine without TLS, as errors for `--require-tls`.
    ///
    /// Only what the files alone tell: the servers of databases, routers and health checks. Every other connection over
    /// HTTP or SMTP is checked when it is opened, by ``OutgoingPolicy``.
    func plainLinks(_ path: String) -> [YAMLError] {
        var faults: [YAMLError] = []
        func add(_ field: String, _ message: String) {
            faults.append(YAMLError(file: path, line: 0, column: 0, field: field, message: message))
        }
        let postgres = "with --require-tls a Postgres server on another machine needs sslmode=verify-full"
        if case .postgres(let address) = file.database, !PostgreSQLConnection.isProtected(address) {
            add("history.postgres", postgres)
        }
        if let lease = file.lease, !PostgreSQLConnection.isProtected(lease.address) { add("lease.postgres", postgres) }
        if let cache = file.hotCache, case .tcp(host: let host, port: let port) = cache.address,
            OutgoingPolicy.isPlain("http://\(host):\(port)")
        {
            add(
                "history.redis.address",
                "with --require-tls Redis must be a Unix socket or on this machine, such as the local end of a tunnel")
        }
        for server in file.queryServers where OutgoingPolicy.isPlain(server.url) {
            add(
                server.name == QueryServerSettings.defaultName ? "query.url" : "query_servers: \(server.name)",
                "with --require-tls \(server.url) must be encrypted or on this machine")
        }
        for (index, destination) in file.syslog.enumerated() {
            guard let url = destination.plainURL, OutgoingPolicy.isPlain(url) else { continue }
            add(
                "history.syslog[\(index)].address",
                "with --require-tls \(destination.address) must be tls:// or on this machine")
        }
        for plan in plans {
            for link in plan.plainLinks {
                add(
                    "plan \(plan.name): \(link.field)",
                    "with --require-tls \(link.text) must be encrypted or on this machine")
            }
        }
        return faults
    }
}

extension RolloutPlan {
    /// The servers of this plan that are contacted in plain text, beyond this machine.
    fileprivate var plainLinks: [(field: String, text: String)] {
        var links: [(field: String, text: String)] = []
        func check(_ field: String, _ url: String?) {
            if let url, OutgoingPolicy.isPlain(url) { links.append((field, url)) }
        }
        for hook in hooks {
            if case .http(let url, _) = hook.kind { check("hooks.\(hook.name).http", url) }
        }
        for service in services {
            for gate in service.gates {
                if case .http(let url) = gate.kind { check("services.\(service.name).gates.http", url) }
            }
            check("services.\(service.name).stable_health", service.stableHealth)
            for route in service.routes {
                let field = "services.\(service.name).routes"
                switch route.kind {
                case .haproxy(let haproxy):
                    guard !haproxy.address.hasPrefix("/"), OutgoingPolicy.isPlain("http://\(haproxy.address)") else {
                        continue
                    }
                    links.append(("\(field).haproxy.address", haproxy.address))
                case .nginx(let nginx): check("\(field).nginx.probe", nginx.probe)
                case .envoy(let envoy): check("\(field).envoy.admin", envoy.admin)
                case .kubernetes(let kubernetes): check("\(field).kubernetes.server", kubernetes.server)
                case .webhook(let webhook):
                    check("\(field).webhook.url", webhook.url)
                    check("\(field).webhook.read", webhook.read)
                case .exec: continue
                }
            }
        }
        return links
    }
}
