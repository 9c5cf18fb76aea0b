internal import MetricModel
internal import YAML

extension TrafficRoute {
    /// Reads a route. `hasHealthURL`: whether the service has a health URL for the stable version.
    init(
        _ node: YAMLNode, path: String, file: String, hasHealthURL: Bool, clusterServer: String?
    ) throws(YAMLError) {
        var fields = try FieldReader(node, path: path, file: file)
        var kinds: [Kind] = []
        if let node = fields.optional("haproxy") {
            kinds.append(.haproxy(try HAProxyRoute(node, path: "\(path).haproxy", file: file)))
        }
        if let node = fields.optional("nginx") {
            kinds.append(.nginx(try NginxRoute(node, path: "\(path).nginx", file: file)))
        }
        if let node = fields.optional("envoy") {
            kinds.append(.envoy(try EnvoyRoute(node, path: "\(path).envoy", file: file)))
        }
        if let node = fields.optional("kubernetes") {
            kinds.append(
                .kubernetes(
                    try KubernetesRoute(
                        node, path: "\(path).kubernetes", file: file, clusterServer: clusterServer)))
        }
        if let node = fields.optional("exec") {
            kinds.append(.exec(try ExecRoute(node, path: "\(path).exec", file: file)))
        }
        if let node = fields.optional("webhook") {
            kinds.append(.webhook(try WebhookRoute(node, path: "\(path).webhook", file: file)))
        }
        guard let kind = kinds.first, kinds.count == 1 else {
            throw fields.fault("a route has exactly one of haproxy, nginx, envoy, kubernetes, exec and webhook")
        }
        if case .nginx = kind, !hasHealthURL {
            throw fields.fault("nginx does not report the health of servers: the service needs stable_health")
        }
        if case .kubernetes = kind, !hasHealthURL {
            throw fields.fault("the health of pods is not read from Kubernetes: the service needs stable_health")
        }
        self.kind = kind
        let isolate = try fields.optionalText("isolate") ?? Isolation.drain.rawValue
        guard let isolation = Isolation(rawValue: isolate) else {
            throw fields.fault("expected drain, maint or none", at: fields.optional("isolate"), field: "isolate")
        }
        self.isolation = isolation
        timeout = try fields.duration("timeout", least: .milliseconds(10)) ?? .seconds(2)
        try fields.finish()
    }
}

extension HAProxyRoute {
    fileprivate init(_ node: YAMLNode, path: String, file: String) throws(YAMLError) {
        var fields = try FieldReader(node, path: path, file: file)
        address = try fields.text("address")
        guard address.hasPrefix("/") || address.contains(":") else {
            throw fields.fault(
                "expected the path of a socket, or IP:port", at: fields.optional("address"), field: "address")
        }
        stable = try fields.servers("stable")
        candidate = try fields.servers("candidate")
        shutdownSessions = try fields.optionalFlag("shutdown_sessions") ?? false
        if let node = fields.optional("map") {
            var map = try FieldReader(node, path: "\(path).map", file: file)
            division = .map(try HAProxyRoute.MapEntry(reading: &map))
        } else {
            division = .weights
            if Set((stable + candidate).map(\.backend)).count != 1 {
                throw fields.fault("servers divided by weight must be of one backend", field: "candidate")
            }
        }
        testers = try fields.optional("testers").map { node throws(YAMLError) in
            var map = try FieldReader(node, path: "\(path).testers", file: file)
            return try HAProxyRoute.MapEntry(reading: &map)
        }
        if let testers, division == .map(testers) {
            throw fields.fault(
                "the entry already has the candidate's percentage", at: fields.optional("testers"), field: "testers")
        }
        if let shared = stable.first(where: { candidate.contains($0) }) {
            throw fields.fault("\(shared) cannot be both stable and candidate", field: "candidate")
        }
        try fields.finish()
    }
}

extension HAProxyRoute.MapEntry {
    fileprivate init(reading fields: inout FieldReader) throws(YAMLError) {
        file = try fields.word("file")
        key = try fields.word("key")
        try fields.finish()
    }
}

extension NginxRoute {
    fileprivate init(_ node: YAMLNode, path: String, file: String) throws(YAMLError) {
        var fields = try FieldReader(node, path: path, file: file)
        self.file = try fields.text("file")
        upstream = try fields.name("upstream")
        testers = try fields.optional("testers").map { node throws(YAMLError) in
            var inner = try FieldReader(node, path: "\(path).testers", file: file)
            let name = try inner.name("upstream")
            try inner.finish()
            return name
        }
        if testers == upstream {
            throw fields.fault(
                "testers need an upstream of their own", at: fields.optional("testers"), field: "testers")
        }
        stable = try fields.addresses("stable")
        candidate = try fields.addresses("candidate")
        test = try fields.command("test") ?? ["nginx", "-t"]
        reload = try fields.command("reload") ?? ["nginx", "-s", "reload"]
        guard let probe = try fields.url("probe") else {
            throw fields.fault("nginx does not confirm a reload: a probe is required", field: "probe")
        }
        self.probe = probe
        try fields.finish()
    }
}

extension ExecRoute {
    fileprivate init(_ node: YAMLNode, path: String, file: String) throws(YAMLError) {
        var fields = try FieldReader(node, path: path, file: file)
        guard let shift = try fields.command("shift") else {
            throw fields.fault("the field \"shift\" is required")
        }
        guard let read = try fields.command("read") else {
            throw fields.fault("a shift counts only when it can be read back: the field \"read\" is required")
        }
        self.shift = shift
        self.read = read
        isolate = try fields.command("isolate")
        admitsTesters = try fields.optionalFlag("testers") ?? false
        try fields.finish()
    }
}

extension WebhookRoute {
    fileprivate init(_ node: YAMLNode, path: String, file: String) throws(YAMLError) {
        var fields = try FieldReader(node, path: path, file: file)
        guard let url = try fields.url("url") else { throw fields.fault("the field \"url\" is required") }
        guard let read = try fields.url("read") else {
            throw fields.fault("a shift counts only when it can be read back: the field \"read\" is required")
        }
        self.url = url
        self.read = read
        headers = try fields.headers("headers")
        admitsTesters = try fields.optionalFlag("testers") ?? false
        try fields.finish()
    }
}
