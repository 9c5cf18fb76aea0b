internal import JSON
internal import Rollback

/// The traffic split in route configurations of Envoy: reads and sets the weights of both clusters.
///
/// Routes with only one of the clusters are not changed.
struct EnvoyDivision {
    let stable: String
    let candidate: String
    /// The name of the routes for testers in a discovery file; `nil` if there are none.
    var testers: String?

    /// The split in routes of `configurations`; `nil` if they disagree, or if neither cluster has traffic.
    ///
    /// - Parameters:
    ///   - prefix: only routes with this `runtime_key_prefix` are used; `nil` for all.
    ///   - runtime: the weights in runtime keys, by cluster. They override those of the routes.
    func split(
        of configurations: [JSON], prefix: String? = nil, runtime: [String: Int64] = [:]
    ) throws(RouterError) -> TrafficSplit? {
        guard let testers else { return try split(of: configurations, prefix: prefix, runtime: runtime) { _ in true } }
        let split = try split(of: configurations, prefix: prefix, runtime: runtime) { $0 != testers }
        let way = try self.split(of: configurations, prefix: prefix, runtime: runtime) { $0 == testers }
        return way == .allStable ? split : split?.withTesters
    }

    /// The split in the routes whose name `isWanted`.
    private func split(
        of configurations: [JSON], prefix: String?, runtime: [String: Int64], _ isWanted: (String?) -> Bool
    ) throws(RouterError) -> TrafficSplit? {
        var splits: [TrafficSplit?] = []
        for configuration in configurations {
            for (name, clusters) in try weightedClusters(of: configuration) where isWanted(name) {
                if let prefix, clusters["runtime_key_prefix"]?.text != prefix { continue }
                let weights = [stable, candidate].map { name in
                    runtime[name] ?? entries(of: clusters).first { $0["name"]?.text == name }?["weight"]?.integer ?? 0
                }
                splits.append(Self.split(stable: weights[0], candidate: weights[1]))
            }
        }
        guard let first = splits.first else {
            let place = prefix.map { " under the runtime_key_prefix \($0)" } ?? ""
            let kind = testers.map { isWanted($0) ? "route named \($0)" : "route" } ?? "route"
            throw RouterError("no \(kind) of Envoy divides traffic between \(stable) and \(candidate)\(place)")
        }
        return splits.allSatisfy { $0 == first } ? first : nil
    }

    /// `configuration` with the weights of `split`. A weight of 0 is written too.
    func setting(_ split: TrafficSplit, in configuration: JSON) throws(RouterError) -> JSON {
        // Called for its errors: a configuration without such a route must not look as if it had been changed.
        _ = try self.split(of: [configuration])
        return configuration.replacing("virtual_hosts") { hosts in
            hosts.replacingElements { host in
                host.replacing("routes") { routes in routes.replacingElements { weighted($0, split) } }
            }
        }
    }

    private func weighted(_ route: JSON, _ split: TrafficSplit) -> JSON {
        guard route["route"]?["weighted_clusters"].map(namesBoth) == true else { return route }
        let isForTesters = testers != nil && route["name"]?.text == testers
        let split = !isForTesters ? split : split > .allStable ? .allCandidate : .allStable
        return route.replacing("route") { action in
            action.replacing("weighted_clusters") { weighted in
                weighted.replacing("clusters") { clusters in
                    clusters.replacingElements { cluster in
                        let share = cluster["name"]?.text == stable ? split.stable : split.candidate
                        return cluster.setting("weight", .integer(Int64(share)))
                    }
                }
            }
        }
    }

    /// Every `weighted_clusters` with both clusters, with the name of its route. With a third cluster, the percentages
    /// would be wrong.
    private func weightedClusters(of configuration: JSON) throws(RouterError) -> [(name: String?, clusters: JSON)] {
        var found: [(name: String?, clusters: JSON)] = []
        for host in configuration["virtual_hosts"]?.elements ?? [] {
            for route in host["routes"]?.elements ?? [] {
                guard let weighted = route["route"]?["weighted_clusters"], namesBoth(weighted) else { continue }
                guard entries(of: weighted).count == 2 else {
                    throw RouterError(
                        "a route of \(configuration["name"]?.text ?? "Envoy") divides traffic between more than "
                            + "\(stable) and \(candidate)")
                }
                found.append((route["name"]?.text, weighted))
            }
        }
        return found
    }

    private func namesBoth(_ weighted: JSON) -> Bool {
        let names = entries(of: weighted).compactMap { $0["name"]?.text }
        return names.contains(stable) && names.contains(candidate)
    }

    private func entries(of weighted: JSON) -> [JSON] { weighted["clusters"]?.elements ?? [] }

    private static func split(stable: Int64, candidate: Int64) -> TrafficSplit? {
        let limit: Int64 = 1 << 32
        guard (0...limit).contains(stable), (0...limit).contains(candidate) else { return nil }
        return TrafficSplit(candidateShares: Int(candidate), of: Int(stable + candidate))
    }
}

extension JSON {
    /// This object with the value of `name`, if it has one, changed by `change`.
    fileprivate func replacing(_ name: String, _ change: (JSON) -> JSON) -> JSON {
        guard let members else { return self }
        return .object(members.map { $0.name == name ? Member(name, change($0.value)) : $0 })
    }

    /// This array with each element changed by `change`.
    fileprivate func replacingElements(_ change: (JSON) -> JSON) -> JSON {
        elements.map { .array($0.map(change)) } ?? self
    }

    /// This object with `value` for `name`, which is added if it is missing.
    func setting(_ name: String, _ value: JSON) -> JSON {
        guard let members else { return self }
        guard members.contains(where: { $0.name == name }) else { return .object(members + [Member(name, value)]) }
        return replacing(name) { _ in value }
    }
}
