package import JSON

extension TrafficRoute {
    /// The kind of router with the targets of both versions, for the ledger. Has no secrets.
    package var json: JSON {
        func described(_ kind: String, _ stable: JSON, _ candidate: JSON, at place: String) -> JSON {
            ["kind": .string(kind), "at": .string(place), "stable": stable, "candidate": candidate]
        }
        func texts(_ texts: [String]) -> JSON { .array(texts.map(JSON.string)) }
        switch kind {
        case .haproxy(let route):
            return described(
                "haproxy", texts(route.stable.map(\.description)), texts(route.candidate.map(\.description)),
                at: route.address)
        case .nginx(let route):
            return described("nginx", texts(route.stable), texts(route.candidate), at: route.file)
        case .envoy(let route):
            return described("envoy", texts([route.stable]), texts([route.candidate]), at: route.admin)
        case .kubernetes(let route):
            let (stable, candidate) = route.object.versions
            return described(
                "kubernetes", texts(stable), texts(candidate), at: "\(route.server)/\(route.namespace)/\(route.name)")
        // The versions behind these are not known.
        case .exec(let route): return described("exec", .null, .null, at: route.shift.joined(separator: " "))
        case .webhook(let route): return described("webhook", .null, .null, at: route.url)
        }
    }
}

extension KubernetesRoute.Object {
    fileprivate var versions: (stable: [String], candidate: [String]) {
        func texts(_ labels: [KubernetesRoute.Label]) -> [String] { labels.map { "\($0.name)=\($0.value)" } }
        func text(_ destination: KubernetesRoute.Destination) -> String {
            destination.host + (destination.subset.map { "/\($0)" } ?? "")
        }
        return switch self {
        case .service(let stable, let candidate): (texts(stable), texts(candidate))
        case .httpRoute(let stable, let candidate): ([stable], [candidate])
        case .virtualService(let stable, let candidate): ([text(stable)], [text(candidate)])
        case .ingress: ([], [])
        }
    }
}
